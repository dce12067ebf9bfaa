"""Rows written for users are read again as the same rows."""

import json
from pathlib import Path

import pytest

from finewright.data.validate import validate
from finewright.rows.identity import to_user_json
from finewright.rows.read import read_rows

ROWS = [
    {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        "topic": "x",
    },
    {"prompt": "a", "chosen": "b", "rejected": "c"},
    {"prompt": "a", "completion": "b", "label": False},
    {"prompt": [{"role": "user", "content": "a"}], "answer": "4"},
    {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    },
]


def test_a_class_of_alpaca_is_no_rating_when_it_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"instruction": "a", "output": "b", "label": 1, "label_column": "k"}\n')
    found = validate(read_rows(path).rows, "auto")
    assert any("learned as any other answer" in problem.message for problem in found.problems)
    written = to_user_json(found.rows[0])
    assert (written["label_column"], written["label_column_"]) == ("k", 1)
    path.write_text(json.dumps(written) + "\n")
    (again,) = validate(read_rows(path).rows, "auto").rows
    assert (again.id, again.label) == (found.rows[0].id, None)


@pytest.mark.parametrize("data", ROWS)
def test_a_row_written_and_read_again_is_the_same(data: dict[str, object], tmp_path: Path) -> None:
    def read(content: object) -> object:
        path = tmp_path / "a.jsonl"
        path.write_text(json.dumps(content) + "\n")
        checked = validate(read_rows(path).rows, "auto")
        assert checked.counts.rows_kept == 1
        return checked.rows[0]

    first = read(data)
    assert read(to_user_json(first)) == first  # type: ignore[arg-type]
