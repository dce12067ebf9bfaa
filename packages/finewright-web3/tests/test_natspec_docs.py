"""Pages of contracts, and questions that one of them answers."""

from finewright.conformance.packages import make_fetched, make_packaged_set, rows_of
from finewright_web3.natspec_docs import content

VAULT = """// SPDX-License-Identifier: MIT
/// @title A vault for tokens that somebody else may own
contract Vault {
    /// Emitted when tokens leave this vault for another owner.
    event Left(address indexed to, uint256 amount);
    /// The caller may not take as much as they asked to take.
    error TooMuch();
    /// Lets only the owner of this vault call the function.
    modifier onlyOwner() { _; }
    /// Sets the owner, who alone may take tokens from here.
    constructor(address owner) {}
    /// Takes the amount out of the vault, to the caller.
    /// @param amount how much
    function take(
        uint256 amount // in wei
    ) external returns (bool) { return true; }
    /// Takes the amount out of the vault, for an account.
    function take(address to, uint256[] memory amounts) external {}
    /// See {Other-put}.
    function put() external {}
    /// Too short.
    function less() external {}
    /// Accepts native tokens, and does nothing else with them.
    receive() external payable {}
    function undocumented() external {}
    /// Not a member that is asked about, whatever it says.
    uint256 total;
}
"""
FREE = (
    "// SPDX-License-Identifier: MIT\n/// Free.\nfunction f() {}\nlibrary Empty { function g() {} }"
)


def contract(name: str, license: str = "MIT", text: str = "") -> str:
    said = text or f"Does what only {name} does, and does it well enough."
    line = f"// SPDX-License-Identifier: {license}\n" * bool(license)
    return f"{line}contract {name} {{\n/// {said}\nfunction go() {{}}\n}}\n"


def built(files, **licences):
    return content([make_fetched(files)], make_packaged_set(**licences)).rows


def questions(rows):
    return [*rows_of(rows, "questions_train"), *rows_of(rows, "questions_test")]


def test_a_page_holds_all_that_is_documented():
    (page,) = rows_of(built({"package/a/Vault.sol": VAULT}), "documents")
    assert page["id"] == "by-hand/a/Vault.sol#Vault"
    assert page["title"] == "Vault"
    assert [page[key] for key in ("license", "source", "source_file")] == [
        "MIT",
        "by-hand@1.0.0",
        "a/Vault.sol",
    ]
    assert page["text"].startswith(
        "# Vault\n\nA contract of by-hand@1.0.0, file a/Vault.sol.\n\nA vault for tokens"
    )
    assert (
        "## function take\n\n`function take(uint256 amount) external returns (bool)`\n\n"
        "Takes the amount out of the vault, to the caller.\n\n- `amount`: how much"
    ) in page["text"]
    for heading in ("event Left", "error TooMuch", "modifier onlyOwner", "constructor", "receive"):
        assert f"\n## {heading}\n" in page["text"]
    assert "undocumented" not in page["text"]
    assert "total" not in page["text"]


def test_each_kind_of_member_is_asked_about_in_its_own_words():
    rows = built({"package/a/Vault.sol": VAULT})
    asked = {row["prompt"]: row["completion"] for row in questions(rows)}
    assert asked == {
        "In Vault, when is the event `Left` emitted?": (
            "Emitted when tokens leave this vault for another owner."
        ),
        "In Vault, what does the error `TooMuch` mean?": (
            "The caller may not take as much as they asked to take."
        ),
        "In Vault, what does the modifier `onlyOwner` do?": (
            "Lets only the owner of this vault call the function."
        ),
        "In Vault, what does the constructor do?": (
            "Sets the owner, who alone may take tokens from here."
        ),
        "In Vault, what does the function `take(uint256)` do?": (
            "Takes the amount out of the vault, to the caller."
        ),
        "In Vault, what does the function `take(address, uint256[])` do?": (
            "Takes the amount out of the vault, for an account."
        ),
    }
    assert {tuple(row["gold"]) for row in questions(rows)} == {("by-hand/a/Vault.sol#Vault",)}
    assert rows.dropped == {
        "member that only refers to another": 1,
        "answer of under 40 characters": 1,
    }


def test_the_files_licence_decides_whatever_the_package_says():
    files = {
        "package/A.sol": contract("A"),
        "package/B.sol": contract("B", "GPL-3.0"),
        "package/C.sol": contract("C", ""),
        "package/D.sol": contract("D", "UNLICENSED"),
    }
    default = built(files)
    assert [row["title"] for row in rows_of(default, "documents")] == ["A"]
    assert default.dropped == {
        "page of a file under GPL-3.0": 1,
        "page of a file under no licence": 1,
        "page of a file under UNLICENSED": 1,
    }
    assert default.settings.include_copyleft is False
    more = built(files, copyleft=("GPL-3.0",))
    assert {row["title"]: row["license"] for row in rows_of(more, "documents")} == {
        "A": "MIT",
        "B": "GPL-3.0",
    }
    assert {row["license"] for row in questions(more)} == {"MIT", "GPL-3.0"}
    assert more.settings.include_copyleft is True


def test_tests_mocks_and_build_products_are_left_out():
    folders = ("mocks", "_testContracts", "legacy/test", "artifacts/contracts", "build")
    files = {f"package/{folder}/A.sol": contract("A") for folder in folders}
    rows = built({**files, "package/attestation/A.sol": contract("B"), "package/F.sol": FREE})
    assert rows.dropped["file of tests, mocks or build products"] == len(folders)
    assert rows.dropped["contract without documentation"] == 1
    assert [row["title"] for row in rows_of(rows, "documents")] == ["B"]


def test_contracts_of_one_name_are_told_apart_by_their_files():
    rows = built({"package/a/A.sol": contract("A"), "package/b/A.sol": contract("A")})
    assert sorted(row["prompt"] for row in questions(rows)) == [
        "In A (a/A.sol), what does the function `go` do?",
        "In A (b/A.sol), what does the function `go` do?",
    ]


def test_no_file_name_or_answer_is_on_both_sides():
    files = {f"package/{i}.sol": contract(f"C{i}") for i in range(60)}
    for i in range(20):
        files[f"package/I{i}.sol"] = contract(f"IC{i}")
        files[f"package/Copy{i}.sol"] = contract(
            f"Copy{i}", text=f"Does what only C{i} does, and does it well enough."
        )
    rows = built(files)
    train, test = rows_of(rows, "questions_train"), rows_of(rows, "questions_test")
    assert len(test) == 10
    assert not {row["completion"] for row in train} & {row["completion"] for row in test}
    number = {row["gold"][0].rpartition("C")[2] for row in test}
    assert not number & {row["gold"][0].rpartition("IC")[2] for row in train}


def test_function_types_are_whole_in_a_question():
    text = """// SPDX-License-Identifier: MIT
contract A {
    /// Sorts the numbers as the function given compares them.
    function sort(uint256[] memory a, function(uint256, uint256) pure returns (bool) f) {}
    /// Sorts the numbers by their value, smallest of them first.
    function sort() {}
}"""
    assert {row["prompt"] for row in questions(built({"package/A.sol": text}))} == {
        "In A, what does the function `sort(uint256[], function(uint256, uint256) pure returns "
        "(bool))` do?",
        "In A, what does the function `sort()` do?",
    }
