"""The Solidity writer's pairs: which functions, how many, and what is said of the others."""

from collections import Counter

import pytest

from finewright.data.validate import validate
from finewright.rows.read import ReadRow
from finewright_web3.solidity import SYSTEM, family_of_row
from finewright_web3.solidity_pairs import PairSettings, SolidityPairs, build_pairs

GUARDED = "function f{i}(uint256 a) public onlyOwner {{\n    total = total + a;\n}}"
PLAIN = "function f{i}(uint256 amount) public {{\n    total = amount;\n}}"


def row(number: int, contract: str = "C", code: str = PLAIN) -> dict:
    turns = {"system": SYSTEM, "user": f"Do {number}.", "assistant": code.format(i=number)}
    return {
        "messages": [{"role": role, "content": content} for role, content in turns.items()],
        "meta": {"id": f"{contract}{number}", "source": f"p@1/a/F.sol#{contract}.f{number}"},
    }


def made(train: list[dict], test: list[dict] = [], **settings: int) -> SolidityPairs:  # noqa: B006
    return build_pairs(train, test, PairSettings.model_validate(settings))


def test_a_pair_asks_as_the_row_does_and_changes_the_answer_alone():
    (pair,) = made([row(1, code=GUARDED)]).train
    system, asked, answer = row(1, code=GUARDED)["messages"]
    assert pair == {
        "prompt": [system, asked],
        "chosen": [answer],
        "rejected": [answer | {"content": answer["content"].replace(" onlyOwner", "")}],
        "meta": {
            "id": "C1",
            "source": "p@1/a/F.sol#C.f1",
            "fault": "drops a guard",
            "kind": "access control",
        },
    }


def test_functions_with_a_guard_are_taken_first():
    rows = [*(row(i) for i in range(8)), row(8, code=GUARDED), row(9, code=GUARDED)]
    pairs = made(rows, pairs_train=4).train
    assert Counter(pair["meta"]["fault"] for pair in pairs) == {
        "drops a guard": 2,
        "does not compile": 2,
    }


def test_kinds_of_mistakes_are_made_about_as_often():
    pairs = made([row(i, f"C{i}") for i in range(40)]).train
    counts = Counter(pair["meta"]["kind"] for pair in pairs)
    assert len(counts) == 4
    assert set(counts.values()) == {10}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (PLAIN.replace("total =", "assembly {{}} total ="), "with assembly"),
        ("function f{i}() {{ a; }}", "with a body of under 20 characters"),
        (PLAIN.replace("total =", "total  =" + " " * 700), "of more than 700 characters"),
    ],
)
def test_what_is_of_no_use_is_counted(code, reason):
    assert made([row(1, code=code)]) == SolidityPairs((), (), {reason: 1})


def test_every_row_is_a_pair_or_counted():
    train = [row(i, f"C{i % 3}") for i in range(60)]
    test = [row(i, f"T{i % 3}") for i in range(30)]
    found = made(train, test, pairs_train=26, pairs_test=20, pairs_per_family=9)
    assert [len(found.train), len(found.test)] == [26, 20]
    assert found.dropped == {"beyond 9 of a family": 22, "beyond what is wanted": 22}
    assert sum(found.dropped.values()) + 46 == 90
    assert max(Counter(family_of_row(pair) for pair in found.train).values()) == 9
    assert {pair["meta"]["source"].partition("#")[2][0] for pair in found.test} == {"T"}


def test_the_same_rows_and_seed_make_the_same_pairs():
    rows = [row(i, f"C{i}") for i in range(20)]
    assert made(rows) == made(rows)
    assert made(rows).train != made(rows, seed=1).train


def test_the_pairs_pass_the_data_door():
    pairs = made([row(i, f"C{i}", GUARDED if i % 2 else PLAIN) for i in range(20)]).train
    found = validate([ReadRow("f", i, pair) for i, pair in enumerate(pairs)], "auto")
    assert (found.types, found.problems) == ({"preference": 20}, ())
