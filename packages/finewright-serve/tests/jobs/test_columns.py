"""A column that a reward compares answers with, and that rows lack, is named before a job is made."""

from typing import Any

import pytest

from .conftest import CHAT, PAIR, Api, lines

CHECK = {
    "type": "string_check", "name": "same", "operation": "eq",
    "input": "{{sample.output_text}}", "reference": "{{item.solution}}",
}  # fmt: skip
ASKED = {"prompt": "Q"}
SOLVED = {**ASKED, "solution": "A"}


def created(api: Api, rows: bytes, kind: str, section: dict[str, Any], **more: Any) -> Any:
    file = api.upload(rows, "mine.jsonl")
    return api.create(training_file=file, method={"type": kind, kind: section}, **more)


@pytest.mark.parametrize(
    ("rows", "section", "param", "says"),
    [
        (
            [SOLVED, {**ASKED, "answer": "A"}],
            {"grader": CHECK},
            "grader.reference",
            "mine.jsonl:2: the row has no 'solution' to compare answers with; its other keys: answer",
        ),
        ([ASKED], {"rewards": ["valid_json", "exact"]}, "rewards.1", "mine.jsonl:1: the row has"),
        ([ASKED], {"grader": None, "rewards": ["exact"]}, "rewards.0", "mine.jsonl:1: the row has"),
        (
            [ASKED],
            {"grader": None, "rewards": ["exact", "valid_json"]},
            "rewards.0",
            "mine.jsonl:1",
        ),
        ([ASKED], {"grader": CHECK, "rewards": None}, "grader.reference", "mine.jsonl:1"),
        (
            [CHAT],
            {"rewards": [{"function": "mentions", "column": "facts"}]},
            "rewards.0",
            "no 'facts' to compare answers with; its other keys: answer",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["reinforcement", "ppo"])
def test_a_column_that_a_row_lacks_is_refused(
    api: Api, rows: list[Any], section: dict[str, Any], param: str, says: str, kind: str
) -> None:
    found = created(api, lines(*rows), kind, section)
    assert found.status_code == 400, found.text
    assert found.json()["error"]["param"] == f"method.{kind}.{param}"
    assert says in found.json()["error"]["message"]
    assert api.client.get("/v1/fine_tuning/jobs").json()["data"] == []


@pytest.mark.parametrize(
    ("rows", "section"),
    [
        ([SOLVED], {"grader": CHECK}),
        ([CHAT, PAIR], {"rewards": ["exact"]}),  # the answer that is there is compared with
        ([ASKED], {"rewards": ["valid_json", "no_call"]}),
    ],
)
def test_columns_that_are_there_or_that_nobody_reads_are_taken(
    api: Api, rows: list[Any], section: dict[str, Any]
) -> None:
    found = created(api, lines(*rows), "reinforcement", section)
    assert found.status_code == 200, found.text


def test_rows_to_validate_with_need_the_column_too(api: Api) -> None:
    valid = api.upload(lines(ASKED), "valid.jsonl")
    found = created(api, lines(SOLVED), "reinforcement", {"grader": CHECK}, validation_file=valid)
    assert found.status_code == 400
    assert "valid.jsonl:1" in found.json()["error"]["message"]
