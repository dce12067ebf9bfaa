"""A teacher's whole answers become rows that train; the others are counted."""

import json
from pathlib import Path

import pytest

from finewright.data.validate import read_validated
from finewright.errors import DataError
from finewright.schema.predict import Prediction
from finewright.schema.rows import Row
from finewright.workbench.taught_rows import refuse_taken, write_taught_rows

CALL = {"name": "clock", "arguments": {"zone": "UTC"}}
TOOL = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
}


def row(number: int) -> Row:
    asked = ({"role": "user", "content": f"what is {number}?"},)
    return Row(str(number), asked, (TOOL,), "prompts.jsonl", number)


def said(number: int, answer: str, **more: object) -> Prediction:
    fields = {"file": "prompts.jsonl", "row": number, "answer": answer, "ended": True, **more}
    return Prediction.model_validate(fields)


def test_whole_answers_are_rows_and_the_others_are_counted(tmp_path: Path) -> None:
    answers = [
        said(1, "one", thoughts="hm"),
        said(2, "two thr", ended=False),
        said(3, "", calls=(CALL,)),
        said(4, "  "),
        said(5, "five", fault="a call that is no JSON"),
    ]
    path = tmp_path / "rows.jsonl"
    problems = list(write_taught_rows(path, [row(i) for i in range(1, 6)], answers, "big", "ab"))
    assert [problem.level for problem in problems] == ["warning", "info"]
    assert problems[0].message.startswith("3 of 5 answers are no rows")
    found = read_validated(path)
    assert [problem for problem in found.problems if problem.level == "error"] == []
    assert [r.answer and r.answer["content"] for r in found.rows] == ["one", ""]
    assert [r.columns["teacher"] for r in found.rows] == ["big", "big"]
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first["messages"][-1]["reasoning_content"] == "hm"
    assert second["messages"][-1]["tool_calls"][0]["function"] == CALL


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="already there"):
        refuse_taken(tmp_path / "rows.jsonl")
    with pytest.raises(DataError, match="no such folder"):
        refuse_taken(tmp_path / "none" / "rows.jsonl")
