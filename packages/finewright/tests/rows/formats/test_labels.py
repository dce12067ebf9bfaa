"""Several labels a row, however a file writes them: a list, a list as text, or parts of a cell."""

import csv
import json
from pathlib import Path

import pytest

from finewright.data.validate import read_validated
from finewright.features.data.show import show
from finewright.report.show import text_of

TEXTS = [f"my card {i} is lost" for i in range(12)]
LABELS = [["card", "fee"], ["card"], []] * 4


def as_table(path: Path, columns: tuple[str, str], cells: list[str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(TEXTS, cells, strict=True)])
    return path


def answers(path: Path, **columns: str) -> list[str]:
    found = read_validated(path, columns=columns)
    assert not [each for each in found.problems if each.level == "error"]
    return [json.loads(row.messages[-1]["content"]) for row in found.rows]


def test_a_cell_is_parted_by_the_sign_that_is_named(tmp_path: Path) -> None:
    path = as_table(tmp_path / "a.csv", ("text", "topics"), ["; ".join(each) for each in LABELS])
    assert answers(path, prompt="text", completion="labels(topics, ';')") == LABELS


def test_a_list_becomes_its_text_and_an_empty_one_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": a, "topics": b} for a, b in zip(TEXTS, LABELS, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert answers(path, prompt="text", completion="labels(topics)") == LABELS
    proposal = show(path).proposal
    assert proposal is not None
    assert proposal.columns == {"prompt": "text", "completion": "labels(topics)"}


def test_an_empty_list_in_a_table_of_lists_is_kept_and_said(tmp_path: Path) -> None:
    path = as_table(tmp_path / "a.csv", ("prompt", "completion"), [*map(json.dumps, LABELS)])
    assert answers(path) == LABELS


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("card;fee", "nothing says what parts its labels"),
        ([1, 2], "holds texts alone"),
        (None, "leads to nothing"),
    ],
)
def test_what_is_no_list_of_labels_is_told(tmp_path: Path, value: object, wrong: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a b", "topics": value}) + "\n")
    found = read_validated(path, columns={"prompt": "text", "completion": "labels(topics)"})
    assert wrong in found.problems[0].message


def test_texts_where_turns_are_due_name_the_function(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a b", "topics": ["card"]}) + "\n")
    found = read_validated(path, columns={"prompt": "text", "completion": "topics"})
    assert "completion=labels(NAME)" in found.problems[0].hint


def test_a_mistake_of_several_rows_is_shown_once(tmp_path: Path) -> None:
    path = as_table(tmp_path / "a.csv", ("text", "topics"), ["; ".join(each) for each in LABELS])
    found = show(path)
    assert len(found.first) == 3
    assert text_of(found).count("expected the keys") == 2  # of the format, and of its first row
    assert "--column prompt=text --column completion=topics" in text_of(found)
