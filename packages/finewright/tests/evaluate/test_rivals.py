"""A schema that is inferred allows what was seen, and rivals are measured where answers are JSON objects."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from finewright.errors import SpecError
from finewright.evaluate.baselines.rivals import (
    JsonTask,
    find_json_task,
    list_systems,
    schema_of_values,
)
from finewright.evaluate.measured import RowSet
from finewright.judge.json_text import parse_json
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.rows import Row

SEEN = (
    '{"name": "Ana", "sum": 12, "paid": true, "lines": [{"sku": "a", "n": 1}, {"sku": "b"}]}',
    '{"name": "Bo", "sum": 3.5, "paid": false, "lines": [], "note": null}',
    '{"name": "Cy", "sum": 7, "paid": true, "lines": [{"sku": "c", "n": 2}], "note": "late"}',
)
WRONG = (
    '{"name": "Ana", "sum": "12", "paid": true, "lines": []}',
    '{"name": "Ana", "sum": 12, "lines": []}',
    '{"name": "Ana", "sum": 12, "paid": true, "lines": [], "other": 1}',
    '{"name": "Ana", "sum": 12, "paid": true, "lines": [{"n": 1}]}',
    '{"name": "Ana", "sum": 12, "paid": true, "lines": [], "note": 4}',
    "[]",
)


def row(answer: str, number: int) -> Row:
    turns = ({"role": "user", "content": f"Q{number}"}, {"role": "assistant", "content": answer})
    return Row(f"{number}", turns, None, "t.jsonl", number)


def rows(answers: Sequence[str]) -> list[Row]:
    return [row(answer, i) for i, answer in enumerate(answers, 1)]


def task_of(answers: Sequence[str], **fields: object) -> JsonTask | None:
    return find_json_task(rows(answers), EvaluateSpec.model_validate(fields))[0]


def test_an_inferred_schema_allows_what_was_seen_and_no_other_types_or_keys() -> None:
    parsed = [parse_json(text) for text in SEEN]
    schema = schema_of_values([one.value for one in parsed if one])
    judge = Draft202012Validator(schema)
    assert [judge.is_valid(json.loads(text)) for text in SEEN] == [True] * len(SEEN)
    assert [judge.is_valid(json.loads(text)) for text in WRONG] == [False] * len(WRONG)
    assert schema["required"] == ["name", "sum", "paid", "lines"]


def test_a_task_of_json_objects_shows_the_same_eight_rows_whatever_their_order() -> None:
    answers = [f'{{"n": {i}}}' for i in range(20)]
    found = [
        find_json_task(each, EvaluateSpec())[0] for each in (rows(answers), rows(answers)[::-1])
    ]
    assert found[0] is not None
    assert found[0] == found[1]
    assert len(found[0].examples) == 8
    shown = found[0].with_examples(RowSet("test", [row("{}", 99)])).rows[0].messages
    assert [m["role"] for m in shown] == ["user", "assistant"] * 9
    assert shown[-2]["content"] == "Q99"


@pytest.mark.parametrize(
    "answers",
    [
        ["plain", "{}"],
        ['["a"]', "[]"],
        ['{"a": 1}', '{"a": 1, "a": 2}'],
        ['{"is": "fee"}', '{"is": "card"}'] * 9,
        [],
    ],
    ids=["text", "arrays", "a key twice", "labels", "no rows"],
)
def test_other_answers_have_no_such_rivals(answers: Sequence[str]) -> None:
    assert task_of(answers) is None


def test_where_nearly_all_answers_are_objects_the_first_other_is_named() -> None:
    answers = [f'{{"n": {i}}}' for i in range(19)] + ["{broken"]
    task, (problem,) = find_json_task(rows(answers), EvaluateSpec())
    assert task is None
    assert problem.line().startswith("t.jsonl:20: ")
    assert "1 of 20 training answers are no JSON objects" in problem.message


def test_the_specs_own_schema_is_taken_whatever_the_answers_are(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "object"}')
    spec = EvaluateSpec(json_schema="s.json")
    task, _ = find_json_task(rows(["free", "text"]), spec, tmp_path.joinpath)
    assert task is not None
    assert (json.loads(task.schema), task.schema_source) == ({"type": "object"}, "s.json")
    (tmp_path / "s.json").write_text('{"type": "objekt"}')
    with pytest.raises(SpecError, match=r"s\.json: not a valid JSON Schema"):
        find_json_task(rows(["x"]), spec, tmp_path.joinpath)


def test_right_answers_that_the_schema_forbids_are_said() -> None:
    task = task_of(['{"a": 1}', '{"a": 2}', '{"a": 3}'])
    assert task is not None
    held_out = [RowSet("test", rows(['{"a": 4}', '{"a": "four"}', '{"b": 1}']))]
    (problem,) = task.warn_of_misfits(held_out)
    assert problem.line().startswith(
        "t.jsonl:2: evaluate.json_schema: 2 of 3 expected answers of test"
    )


def test_who_is_asked_is_known_before_anything_runs() -> None:
    objects = rows([f'{{"n": {i}}}' for i in range(9)])
    assert list_systems(EvaluateSpec(), objects) == [
        "base",
        "base + examples",
        "base + schema",
        "base + examples + schema",
        "tuned",
        "tuned + schema",
    ]
    assert list_systems(EvaluateSpec(compare_with=("schema",)), objects) == [
        "base + schema",
        "tuned",
        "tuned + schema",
    ]
    assert list_systems(EvaluateSpec(), rows(["free text"] * 3)) == ["base", "tuned"]
