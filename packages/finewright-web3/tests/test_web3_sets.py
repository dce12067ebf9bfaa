"""The sets as `finewright data get` builds them: the suite of every set, and the real packages."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from finewright.conformance.packages import make_fetched, make_packaged_set
from finewright.conformance.set import SetConformance
from finewright.data.sets.build import Fetched, build_set, data_sets
from finewright_web3.sets import natspec, solidity
from finewright_web3.solidity import family_of_row
from registry import embedded, many

CONVERSATIONS = [
    "test_seen.jsonl",
    "test_unseen.jsonl",
    "test_unseen_protocols.jsonl",
    "train.jsonl",
]
FEEDBACK = [
    "preference_test.jsonl",
    "preference_train.jsonl",
    "prompts_test.jsonl",
    "prompts_train.jsonl",
]


def contract(name: str, *functions: str, license: str = "MIT") -> str:
    members = "\n".join(
        f"/// Returns {function} of this contract {name}.\nfunction {function}() {{ {name}; }}"
        for function in functions
    )
    return f"// SPDX-License-Identifier: {license}\ncontract {name} {{\n{members}\n}}\n"


class TestErc7730(SetConformance):
    name = "erc7730"

    @pytest.fixture
    def fetched(self) -> Sequence[Fetched]:
        return [
            make_fetched(
                {"package/r.js": embedded(many("Alpha", 8), many("Beta", 4), many("Eps", 2))}
            )
        ]


class TestTransactionAgent(SetConformance):
    name = "transaction-agent"

    @pytest.fixture
    def fetched(self) -> Sequence[Fetched]:
        functions = [many("Alpha", 8), many("Beta", 4), many("Eps", 2)]
        text = embedded(*functions).replace('"0x1"', f'"0x{"1" * 40}"')
        return [make_fetched({"package/r.js": text})]


class TestSolidity(SetConformance):
    name = "solidity"

    @pytest.fixture
    def fetched(self) -> Sequence[Fetched]:
        return [
            make_fetched(
                {"package/A.sol": contract("A", "a", "b"), "package/B.sol": contract("B", "c")}
            )
        ]


class TestNatspecDocs(SetConformance):
    name = "natspec-docs"

    @pytest.fixture
    def fetched(self) -> Sequence[Fetched]:
        return [
            make_fetched({f"package/{name}.sol": contract(name, "go") for name in "ABCDEFGHIJKLMN"})
        ]


def test_all_files_of_all_packages_are_in_a_set_of_solidity():
    first = {
        "package/A.sol": contract("A", "a", "b"),
        "package/deep/B.sol": contract("B", "c"),
    }
    packages = [
        make_fetched(first, "@one/p"),
        make_fetched({"package/A.sol": contract("A", "a", "e")}, "two"),
    ]
    made = solidity().content(packages, make_packaged_set())
    rows = made.rows.rows
    assert not rows["test.jsonl"]
    assert sorted(row["meta"]["source"] for row in rows["train.jsonl"]) == [
        "@one/p@1.0.0/A.sol#A.a",
        "@one/p@1.0.0/A.sol#A.b",
        "@one/p@1.0.0/deep/B.sol#B.c",
        "two@1.0.0/A.sol#A.e",
    ]
    assert made.rows.dropped == {"a copy of another function": 1}
    assert made.rows.settings.model_dump() == {
        "min_natspec_chars": 25,
        "test_share": 0.1,
        "seed": 0,
    }
    assert made.feedback.dropped == {"with a body of under 20 characters": 4}


def test_copyleft_pages_are_left_out_unless_they_are_asked_for():
    files = {
        "package/A.sol": contract("A", "a"),
        "package/B.sol": contract("B", "b", license="GPL-3.0"),
    }
    for copyleft, licences in (((), ["MIT"]), (("GPL-3.0",), ["MIT", "GPL-3.0"])):
        made = natspec().content([make_fetched(files)], make_packaged_set(copyleft=copyleft))
        assert [row["license"] for row in made.rows.rows["documents.jsonl"]] == licences
        assert made.rows.dropped.get("page of a file under GPL-3.0", 0) == (not copyleft)
        assert made.rows.settings.model_dump()["include_copyleft"] is bool(copyleft)
        assert made.feedback is None


def rows_of(folder: Path, names: list[str]) -> dict[str, list[dict]]:
    return {
        name: [json.loads(line) for line in (folder / name).read_bytes().splitlines()]
        for name in names
    }


@pytest.mark.network
def test_the_real_set_is_fetched_and_built_with_disjoint_splits(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    report = build_set("erc7730", tmp_path / "out")
    rows = rows_of(tmp_path / "out", CONVERSATIONS)
    counted = {name: told.rows for name, told in report.provenance.files.items()}
    assert counted == data_sets().sets["erc7730"].rows
    train, seen = rows["train.jsonl"], rows["test_seen.jsonl"]
    unseen, strangers = rows["test_unseen.jsonl"], rows["test_unseen_protocols.jsonl"]
    assert [len(train), len(seen), len(unseen), len(strangers)] == [450, 90, 45, 30]
    names = {row["meta"]["function"].casefold() for row in train}
    assert names == {row["meta"]["function"].casefold() for row in seen}
    assert not names & {row["meta"]["function"].casefold() for row in (*unseen, *strangers)}
    protocols = {row["meta"]["protocol"] for row in train}
    assert not protocols & {row["meta"]["protocol"] for row in strangers}
    asked = Counter(row["messages"][1]["content"] for part in rows.values() for row in part)
    assert set(asked.values()) == {1}
    intents = Counter(json.loads(row["messages"][2]["content"])["intent"] for row in train)
    assert max(intents.values()) <= 0.07 * 450
    feedback = rows_of(tmp_path / "out", FEEDBACK)
    assert [len(part) for part in feedback.values()] == [165, 450, 165, 450]
    for kind in ("preference", "prompts"):
        asked = [row["prompt"] for row in feedback[f"{kind}_train.jsonl"]]
        assert asked == [row["messages"][:2] for row in train]
        assert feedback[f"{kind}_test.jsonl"][135]["prompt"] == strangers[0]["messages"][:2]


@pytest.mark.network
def test_the_real_solidity_set_is_licensed_and_has_no_family_on_both_sides(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    report = build_set("solidity", tmp_path / "out")
    files = rows_of(tmp_path / "out", ["train.jsonl", "test.jsonl"])
    train, test = files["train.jsonl"], files["test.jsonl"]
    assert [len(train), len(test)] == [2956, 328]
    assert data_sets().sets["solidity"].rows == {"train.jsonl": 2956, "test.jsonl": 328}
    # The compiler finds 5642 functions with a body in these packages.
    assert len(train) + len(test) + sum(report.provenance.dropped.values()) == 5642
    assert {row["meta"]["license"] for row in (*train, *test)} == {"MIT"}
    pairs = rows_of(tmp_path / "out", ["preference_train.jsonl", "preference_test.jsonl"])
    assert [len(part) for part in pairs.values()] == [600, 120]
    all_rows = len(train) + len(test)
    assert sum(report.feedback.dropped.values()) + 600 + 120 == all_rows
    assert not any(pair["chosen"] == pair["rejected"] for part in pairs.values() for pair in part)
    sides = [
        [*train, *pairs["preference_train.jsonl"]],
        [*test, *pairs["preference_test.jsonl"]],
    ]
    families = [{family_of_row(row) for row in rows} for rows in sides]
    assert families[0] & families[1] == set()
    asked = Counter(row["messages"][1]["content"] for row in (*train, *test))
    answered = Counter(row["messages"][2]["content"] for row in (*train, *test))
    assert {*asked.values(), *answered.values()} == {1}


@pytest.mark.network
def test_every_gold_page_is_there_and_licences_are_as_measured(tmp_path):
    report = build_set("natspec-docs", tmp_path / "docs", include_copyleft=True)
    files = rows_of(tmp_path / "docs", list(report.provenance.files))
    licences = Counter(row["license"] for row in files["documents.jsonl"])
    assert licences == {"MIT": 278, "GPL-3.0": 75}
    ids = {row["id"] for row in files.pop("documents.jsonl")}
    assert len(ids) == 278 + 75
    assert all(
        row["gold"] and ids.issuperset(row["gold"]) for rows in files.values() for row in rows
    )
