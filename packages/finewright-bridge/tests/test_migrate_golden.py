"""What is said of a golden set when it is frozen, and again each time it is used."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from finewright.errors import DataError
from finewright_bridge.migrate.golden import GoldenSet, Wanted, golden_set

ROWS: list[dict[str, Any]] = [
    {"prompt": "red?", "answer": "yes"},
    {"prompt": "blue?", "answer": "no"},
    {"prompt": "red?", "answer": "yes"},
    {"messages": [{"role": "user", "content": "blue?"}], "answer": "maybe"},
]


def frozen(folder: Path, most: int = 100) -> GoldenSet:
    return golden_set(
        folder,
        Wanted(str(folder / "recorded.jsonl"), (), 0.05, most),
        (),
        validation=(),
        today=date(2026, 11, 25),
        on_answer=lambda *_: None,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "recorded.jsonl").write_text(lines)
    return tmp_path


def test_rows_that_ask_the_same_are_counted_named_and_compared(folder: Path) -> None:
    found = frozen(folder)
    assert [row.answer for row in found.rows] == ["yes", "no"]
    told = {(problem.row, problem.message) for problem in found.problems}
    same = "asks the same as row 1, whose answer is kept; this one is the same: left out"
    other = "asks the same as row 2, whose answer is kept; this one contradicts it: left out"
    assert {(3, same), (4, other)} <= told
    assert (None, "2 answers are to a prompt that was there before: left out") in told


def test_a_later_call_says_the_same(folder: Path) -> None:
    assert frozen(folder).problems == frozen(folder).problems


def test_an_earlier_answer_is_part_of_the_prompt(folder: Path) -> None:
    def row(first: str) -> dict[str, Any]:
        said = [("user", "red?"), ("assistant", first), ("user", "sure?")]
        return {"messages": [{"role": r, "content": t} for r, t in said], "answer": "yes"}

    lines = "".join(json.dumps(row(first)) + "\n" for first in ("no", "perhaps"))
    (folder / "recorded.jsonl").write_text(lines)
    assert not any("asks the same" in problem.message for problem in frozen(folder).problems)


def test_so_few_rows_are_said_in_the_singular_and_with_the_number_that_would_do(
    folder: Path,
) -> None:
    (folder / "recorded.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    assert frozen(folder).problems[-1].message == (
        "1 golden row cannot show parity within 5 points, even of models that always agree: 59 could"
    )


def test_a_record_without_the_number_of_rows_asked_for_is_held_to_what_it_has(folder: Path) -> None:
    frozen(folder)
    path = folder / "golden.json"
    record = json.loads(path.read_text())
    del record["most_rows"], record["problems"]
    path.write_text(json.dumps(record))
    assert len(frozen(folder, most=50).rows) == 2
    with pytest.raises(DataError, match="--golden-rows was 2 when the answers were frozen"):
        frozen(folder, most=1)
