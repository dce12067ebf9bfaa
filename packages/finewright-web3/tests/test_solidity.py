"""The Solidity writer's rows: what is asked, what is left out, and what is held out."""

from collections.abc import Sequence

import pytest

from finewright_web3.solidity import (
    SYSTEM,
    SoliditySet,
    SoliditySettings,
    SourceFile,
    build,
    family_of,
    plain_text,
)

MIT = "// SPDX-License-Identifier: MIT\n"
DOC = "/// @dev Adds one more to the counter.\n"


def source(members: str, contract: str = "C", path: str = "C.sol", head: str = MIT) -> SourceFile:
    return SourceFile("pack@1.0.0", path, f"{head}contract {contract} {{\n{members}\n}}\n")


def built(*files: SourceFile, **settings: float) -> SoliditySet:
    return build(files, "MIT", SoliditySettings.model_validate({"test_share": 0, **settings}))


def numbered(count: int, contract: str = "C", path: str = "C.sol") -> SourceFile:
    """A contract with that many documented functions that no other contract has."""
    members = [
        f"/// Returns the number {i} of {contract}.\nfunction f{i}() public {{ {contract}; }}"
        for i in range(count)
    ]
    return source("\n".join(members), contract, path)


def ids(rows: Sequence[dict]) -> list[str]:
    return [row["meta"]["id"] for row in rows]


def family(row: dict) -> str:
    return family_of(row["meta"]["source"].partition("#")[2].partition(".")[0])


def test_a_row_asks_for_the_function_by_its_natspec_and_signature():
    text = "    function add(uint a)\n        public\n    {\n        n += 1;\n    }"
    (row,) = built(source(f"    {DOC}{text}", path="src/C.sol")).train
    assert row == {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {
                "role": "user",
                "content": ("Adds one more to the counter.\n\nfunction add(uint a)\n    public"),
            },
            {
                "role": "assistant",
                "content": "function add(uint a)\n    public\n{\n    n += 1;\n}",
            },
        ],
        "meta": {
            "id": "b57b33607ef01dc0",
            "source": "pack@1.0.0/src/C.sol#C.add",
            "license": "MIT",
        },
    }


def test_a_free_function_is_of_the_family_of_its_file():
    text = f"{MIT}{DOC}function free(uint a) pure {{ a; }}"
    files = [SourceFile("pack@1.0.0", "u/Free.sol", text), numbered(9, "Free")]
    made = built(*files, test_share=0.5)
    assert "pack@1.0.0/u/Free.sol#free" in [row["meta"]["source"] for row in made.train]
    assert (len(made.train), len(made.test)) == (10, 0)


@pytest.mark.parametrize(
    ("natspec", "plain"),
    [
        ("@dev Says {IERC20-approve} and {_f}.", "Says `IERC20-approve` and `_f`."),
        ("@notice Pays.\n@param to Who\n@return What", "Pays.\n@param to Who\n@return What"),
        ("@inheritdoc IERC20", ""),
        ("@custom:oz-upgrades-unsafe-allow constructor\n@dev Text.", "Text."),
        ("\N{NO-BREAK SPACE}@dev Text.", "Text."),
        ("See {xref-C-f-address-}[`f`], {C}[the contract].", "See `f`, the contract."),
        ("a\n\n\n\n  - b", "a\n\n  - b"),
        ('{"json": 1} and \\{id\\} stay; so does dev@devs.org', None),
    ],
)
def test_natspec_is_cleaned(natspec, plain):
    assert plain_text(natspec) == (natspec if plain is None else plain)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (source("function f() {}"), "no NatSpec"),
        (source("/// @inheritdoc I\nfunction f() {}"), "NatSpec of tags alone"),
        (source(f"/// @dev {'x' * 24}\nfunction f() {{}}"), "NatSpec of under 25 characters"),
        (source(f"{DOC}function f() {{}}", head=""), "in a file that is not under MIT"),
        (
            source(f"{DOC}function f() {{}}", head="// SPDX-License-Identifier: MIT OR X\n"),
            "in a file that is not under MIT",
        ),
    ],
)
def test_what_is_of_no_use_is_counted(file, reason):
    assert built(file) == SoliditySet((), (), {reason: 1})


def test_natspec_of_25_characters_is_enough():
    made = built(source(f"/// @dev {'x' * 25}\nfunction f() {{}}"))
    assert (len(made.train), made.dropped) == (1, {})


def test_a_copy_that_differs_in_white_space_alone_is_dropped():
    first = source(f"{DOC}function f() {{ a; }}")
    copy = source("/// Quite another text about it.\nfunction  f()\n{\n\ta;\n}", "D", "D.sol")
    made = built(first, copy)
    assert [row["meta"]["source"] for row in made.train] == ["pack@1.0.0/C.sol#C.f"]
    assert made.dropped == {"a copy of another function": 1}


def test_a_copy_without_natspec_does_not_hide_the_documented_one():
    made = built(source("function f() { a; }"), source(f"{DOC}function f() {{ a; }}", "D", "D.sol"))
    assert [row["meta"]["source"] for row in made.train] == ["pack@1.0.0/D.sol#D.f"]
    assert made.dropped == {"no NatSpec": 1}


def test_a_question_has_one_answer():
    first = source(f"{DOC}function f() {{ a; }}")
    other = source(f"{DOC}function f() {{ b; }}", "CUpgradeable", "CUpgradeable.sol")
    made = built(first, other)
    assert [row["messages"][2]["content"] for row in made.train] == ["function f() { a; }"]
    assert made.dropped == {"another answer to the same question": 1}


def test_overloads_are_rows_of_their_own():
    made = built(source(f"{DOC}function f(uint a) {{}}\n{DOC}function f(int a) {{}}"))
    assert len(set(ids(made.train))) == 2
    assert {row["meta"]["source"] for row in made.train} == {"pack@1.0.0/C.sol#C.f"}


MANY = [
    *(numbered(count, f"C{count}", f"C{count}.sol") for count in range(1, 20)),
    *(numbered(2, f"C{count}Upgradeable", f"C{count}Upgradeable.sol") for count in range(1, 20)),
]


@pytest.mark.parametrize("seed", range(5))
def test_no_family_is_on_both_sides(seed):
    made = built(*MANY, test_share=0.1, seed=seed)
    assert {family(row) for row in made.test} & {family(row) for row in made.train} == set()
    assert len(made.train) + len(made.test) == 190 + 38
    assert 20 <= len(made.test) <= 23


def test_no_two_rows_are_one():
    made = built(*MANY, test_share=0.1)
    assert len(set(ids([*made.train, *made.test]))) == 190 + 38


def test_the_rows_are_shuffled_alike_each_time_and_by_the_seed():
    once, again, other = built(*MANY), built(*MANY), built(*MANY, seed=1)
    assert once == again
    assert sorted(ids(once.train)) == sorted(ids(other.train))
    assert ids(once.train) != ids(other.train)
    assert len({family(row) for row in once.train[:40]}) > 10


def test_the_order_of_the_files_moves_no_row():
    made, turned = built(*MANY, test_share=0.1), built(*reversed(MANY), test_share=0.1)
    assert made == turned


@pytest.mark.parametrize(
    ("contract", "family"),
    [("ERC20", "ERC20"), ("ERC20Upgradeable", "ERC20"), ("UpgradeableBeacon", "Beacon")],
)
def test_a_family_is_a_name_without_upgradeable(contract, family):
    assert family_of(contract) == family
