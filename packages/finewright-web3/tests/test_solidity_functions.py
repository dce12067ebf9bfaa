"""The scanner of Solidity files: which functions there are, and which text is whose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.errors import DataError
from finewright_web3.solidity import Function, functions


def read(text: str) -> list[Function]:
    return list(functions(text, "a/F.sol"))


def only(members: str) -> Function:
    (function,) = read(f"contract C {{\n{members}\n}}\n")
    return function


def names(text: str) -> list[tuple[str, str]]:
    return [(function.contract, function.name) for function in read(text)]


def test_a_function_is_taken_apart():
    text = (
        "// SPDX-License-Identifier: MIT\n"
        "pragma solidity ^0.8.20;\n"
        'import {A, B as C} from "./A.sol";\n'
        "abstract contract Vault is A, B(1) {\n"
        "    uint256 private _total;\n"
        "\n"
        "    /// @dev Adds to the total.\n"
        "    function add(uint256 amount)\n"
        "        external\n"
        "        only(Role.ADMIN, 1)\n"
        "        returns (uint256)\n"
        "    {\n"
        "        return _total += amount;\n"
        "    }\n"
        "}\n"
    )
    assert read(text) == [
        Function(
            file="a/F.sol",
            license="MIT",
            contract="Vault",
            name="add",
            natspec="@dev Adds to the total.",
            indent=4,
            header=(
                "function add(uint256 amount)\n        external\n        only(Role.ADMIN, 1)\n"
                "        returns (uint256)\n    "
            ),
            body="{\n        return _total += amount;\n    }",
        )
    ]
    (function,) = read(text)
    assert function.signature == (
        "function add(uint256 amount)\n    external\n    only(Role.ADMIN, 1)\n    returns (uint256)"
    )
    assert function.code == f"{function.signature}\n{{\n    return _total += amount;\n}}"


def test_contracts_libraries_interfaces_and_free_functions_are_told_apart():
    text = """
        using {f as +} for T global;
        function free(T a) pure returns (T) { return a; }
        struct S { function(uint) external returns (uint) callback; }
        enum E { A, B }
        library L { function lib() internal {} }
        interface I { function none() external; }
        contract A is B(S({y: 1})), D { function a() public {} }
        abstract contract E1 layout at 0x10 { function e() public {} }
    """
    assert names(text) == [("", "free"), ("L", "lib"), ("A", "a"), ("E1", "e")]


def test_members_that_are_no_functions_with_a_body_are_passed_over():
    text = """
        contract C {
            using {f, L.g} for uint256;
            function declared(uint a) external virtual returns (uint);
            function (uint) internal pure returns (uint) pointer = f;
            mapping(address => function() external) private _calls;
            struct S { uint a; }
            modifier guarded(uint x) { if (x > 1) { _; } }
            event Function(uint a);
            error Constructor(uint b);
            function real() public {}
        }
    """
    assert names(text) == [("C", "real")]


def test_constructor_receive_and_fallback_are_named_by_their_keyword():
    text = """
        contract C is P {
            constructor(address a) payable P(a, S({b: 1})) initializer {}
            receive() external payable {}
            fallback(bytes calldata input) external returns (bytes memory) { return input; }
            function receiveFallback() external {}
        }
    """
    found = read(text)
    assert [function.name for function in found] == [
        "constructor",
        "receive",
        "fallback",
        "receiveFallback",
    ]
    assert found[0].signature == "constructor(address a) payable P(a, S({b: 1})) initializer"
    assert found[0].body == "{}"


def test_overloads_are_functions_of_their_own():
    found = read("library L { function f(uint a) pure {} function f(int a) pure { 1; } }")
    assert [(function.signature, function.body) for function in found] == [
        ("function f(uint a) pure", "{}"),
        ("function f(int a) pure", "{ 1; }"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        '{ s = "}"; }',
        "{ s = '{'; }",
        r'{ s = "\"}"; }',
        r"{ s = '\'}\\'; }",
        '{ s = unicode"🔥 } é"; }',
        '{ s = hex"7d"; }',
        "{ // }\n }",
        "{ /* } */ }",
        "{ /* // */ }",
        "{ // /*\n }",
        "{ s = '/*'; }",
        '{ s = "// }"; }',
        "{ /// }\n }",
        "{ /** } \" ' */ }",
        "{ // it's\n }",
        "{ // }\r }",
        "{ f{value: 1, gas: 2}(S({a: 1})); }",
        "{ unchecked { a += 1; } }",
        "{ try this.f() { a(); } catch Error(string memory) { b(); } catch { c(); } }",
        '{ assembly ("memory-safe") { for {} lt(i, n) {} { switch x case 0 { } default { } } } }',
        '{ assembly { function g(a) -> b { b := a } let s := "}" let h := hex"7b" } }',
    ],
)
def test_a_body_ends_with_its_own_brace(body):
    text = f"contract C {{ function f() public {body} function last() public {{}} }}"
    assert [(function.name, function.body) for function in read(text)] == [
        ("f", body),
        ("last", "{}"),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "function f(uint a /* b { */) public",
        "function f() // {\n public",
        'function f() only("{;") public',
        "function f() m(S({a: 1})) public override(A, B)",
        "function f(function(uint) external returns (uint) g) public",
    ],
)
def test_a_header_ends_before_the_brace_of_the_body(header):
    assert (only(f"{header} {{}}").signature, only(f"{header} {{}}").name) == (header, "f")


@pytest.mark.parametrize(
    ("before", "natspec"),
    [
        ("/// @dev One.", "@dev One."),
        ("/// One\n    /// two\n    ///\n    ///   - three", "One\ntwo\n\n  - three"),
        ("/** @dev One. */", "@dev One."),
        ("/**\n     * @dev One\n     *\n     *  - two\n     */", "@dev One\n\n - two"),
        ("/**\n     One\n     two\n     */", "One\ntwo"),
        ("/// One\r\n    /// two\r\n", "One\ntwo"),
        ("// plain", ""),
        ("/* plain */", ""),
        ("//// plain", ""),
        ("/*** plain */", ""),
        ("/**/", ""),
        ("/***/", ""),
        ("/// first\n\n    /// last", "last"),
        ("/** first */ /// last", "last"),
        ("/// first\n    /** */", ""),
        ("/// One\n    // plain", "One"),
        ("/// One\n    /* plain */", "One"),
        ("/// One\n    //// plain", "One"),
        ("/// another's\n    uint256 x;", ""),
        ('/// another\'s\n    string s = "a";', ""),
        ("/// another's\n    modifier m() { _; }", ""),
        ("uint256 x; /// One", "One"),
    ],
)
def test_natspec_is_the_last_doc_comment_before_the_function(before, natspec):
    assert only(f"    {before}\n    function f() public {{}}").natspec == natspec


def test_comments_inside_the_function_are_no_natspec():
    found = read("contract C { function f() /** a */ public /// b\n {} function g() public {} }")
    assert [function.natspec for function in found] == ["", ""]


@pytest.mark.parametrize(
    ("text", "license"),
    [
        ("// SPDX-License-Identifier: MIT\n", "MIT"),
        ("/* SPDX-License-Identifier: MIT */\n", "MIT"),
        ("// SPDX-License-Identifier: GPL-3.0-or-later\n", "GPL-3.0-or-later"),
        ("// SPDX-License-Identifier: (MIT OR Apache-2.0)  \r\n", "(MIT OR Apache-2.0)"),
        ("// MIT\n", ""),
    ],
)
def test_the_license_is_the_files_spdx_expression(text, license):
    (function,) = read(f"{text}function f() {{}}")
    assert function.license == license


def test_code_loses_the_indentation_of_the_file_and_no_more():
    source = "\tfunction f() {\n\t\ta;\n  // far left\n\n\t\t\tb;\n\t}"
    assert only(source).code == "function f() {\n\ta;\n // far left\n\n\t\tb;\n}"
    assert only("uint a; function f() {\n  b;\n}").code == "function f() {\n  b;\n}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("contract C {\n/* never", "a/F.sol:2: a comment or string that does not end"),
        ('contract C {\n string s = "a\n";', "a/F.sol:2: a comment or string that does not end"),
        ("contract C { function f() {}", "a/F.sol: a '{' that nothing closes"),
        ("contract C { function f( {} }", "a/F.sol: a '}' that nothing opens"),
        ("contract C { } }", "a/F.sol: a '}' that nothing opens"),
    ],
)
def test_a_file_that_is_cut_is_named(text, what):
    with pytest.raises(DataError) as caught:
        read(text)
    assert str(caught.value) == what


@pytest.mark.parametrize("text", ["", ";", "{}", "contract;", "abstract;", "contract C"])
def test_text_without_functions_gives_none(text):
    assert read(text) == []


NOISE = st.sampled_from(
    [
        "",
        " ",
        "\n    ",
        " /* } { ; function no() {} */ ",
        " // } it's \" {\n",
        " /// function no() {}\n",
        " /** } */ ",
    ]
)
WORDS = st.sampled_from(
    ["a;", 's = "}";', "t = '\\'{';", 'u = unicode"{é";', "f{value: 1}(b);", "g(S({a: 1}));"]
)
BLOCKS = st.recursive(
    st.lists(st.one_of(WORDS, NOISE), max_size=3).map("".join),
    lambda inner: st.tuples(
        st.sampled_from(["unchecked ", "assembly ", "for {} 1 {} ", "if (x) "]), inner, NOISE
    ).map(lambda parts: f"{parts[0]}{{{parts[1]}{parts[2]}}}"),
    max_leaves=4,
)
HEADERS = st.sampled_from(
    [
        "function f(uint a)",
        "function f() m(S({a: 1}))",
        "constructor() P(1)",
        "receive() external payable",
    ]
)
FUNCTIONS = st.tuples(HEADERS, NOISE, BLOCKS).map(lambda parts: (parts[0] + parts[1], parts[2]))
OTHERS = st.sampled_from(
    ["", "uint x;", "struct S { uint a; }", "function n() external;", "using {f} for T;"]
)


@given(st.lists(st.tuples(NOISE, OTHERS, NOISE, FUNCTIONS), max_size=4), NOISE)
def test_the_pieces_of_a_file_are_found_as_they_were_put_together(parts, end):
    members = [
        f"{noise}{other}{more}{header}{{{block}}}" for noise, other, more, (header, block) in parts
    ]
    found = read(f"library L {{{''.join(members)}{end}}}")
    assert [(function.header, function.body) for function in found] == [
        (header, f"{{{block}}}") for *_, (header, block) in parts
    ]


@given(st.text(alphabet="{}();\"'/*\\\n af"))
def test_any_text_is_read_or_refused(text):
    try:
        found = read(f"contract C {{ {text} }}")
    except DataError:
        return
    assert all(function.header + function.body in text for function in found)
