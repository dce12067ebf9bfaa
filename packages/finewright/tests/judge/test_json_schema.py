"""Answers against JSON Schemas, and schemas that are refused before any answer meets them."""

import json
import socket
import time

import jsonschema
import pytest

from finewright.errors import SpecError
from finewright.evaluate.score import row_scorer
from finewright.judge.json_schema import JsonSchema, json_schema

INTENT = """{
  "type": "object",
  "properties": {"intent": {"enum": ["buy", "sell"]}, "amount": {"type": "integer", "minimum": 1}},
  "required": ["intent"],
  "additionalProperties": false
}"""
TREE = '{"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"}'


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"intent": "buy", "amount": 3}', 1.0),
        (' {"intent": "sell"}\n', 1.0),
        ('{"intent": "buy", "amount": 3.0}', 1.0),
        ('{"intent": "buy", "amount": 3.5}', 0.0),
        ('{"intent": "buy", "amount": true}', 0.0),
        ('{"intent": "buy", "amount": 1e400}', 0.0),
        ('{"intent": "hold"}', 0.0),
        ('{"intent": "buy", "note": ""}', 0.0),
        ('{"intent": "buy", "intent": "buy"}', 0.0),
        ('```json\n{"intent": "buy"}\n```', 0.0),
        ("{}", 0.0),
        ("", 0.0),
    ],
)
def test_an_answer_is_one_json_text_that_the_schema_accepts(answer: str, score: float) -> None:
    assert JsonSchema(INTENT)(answer) == score
    assert json_schema(answer, INTENT) == score


@pytest.mark.parametrize("draft", ["draft-03", "draft-04", "draft-07"])
def test_nought_is_an_integer_in_every_draft(draft: str) -> None:
    schema = JsonSchema(
        f'{{"$schema": "http://json-schema.org/{draft}/schema#", "type": "integer"}}'
    )
    assert [schema(text) for text in ("0", "-0", "7", "0.5")] == [1.0, 1.0, 1.0, 0.0]


def test_a_schema_may_recur() -> None:
    assert JsonSchema(TREE)("[[], [[]]]") == 1.0
    assert JsonSchema(TREE)("[[], [1]]") == 0.0


@pytest.mark.parametrize("draft", ["2020-12/schema", "2019-09/schema"])
def test_schemas_may_refer_to_the_drafts_own(draft: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("reached for the network"))
    judge = JsonSchema(f'{{"$ref": "https://json-schema.org/draft/{draft}"}}')
    assert judge('{"minLength": 1}') == 1.0
    assert judge('{"minLength": "1"}') == 0.0


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "not one JSON text"),
        ('{"type": "object", "type": "array"}', "not one JSON text"),
        ("[]", "not a valid JSON Schema"),
        ('{"type": "strong"}', r"not a valid JSON Schema: \$.type: 'strong'"),
        ('{"pattern": "("}', "not a valid JSON Schema"),
        ('{"pattern": "(?=a)"}', "look-around"),
        ('{"x": {"y": {"pattern": "(?=a)"}}, "$ref": "#/x/y"}', "look-around"),
        ('{"patternProperties": {"(?=a)": {}}}', "look-around"),
        ('{"allOf": [{"patternProperties": {"a": {}}}], "unevaluatedProperties": false}', "beside"),
        ('{"$ref": "https://example.com/s.json"}', "refers to 'https://example.com/s.json'"),
        ('{"items": {"$ref": "#/$defs/none"}}', r"refers to '#/\$defs/none'"),
        ('{"$ref": "#"}', "refers to itself without end"),
        ('{"anyOf": [{"type": "null"}, {"not": {"$ref": "#"}}]}', "refers to itself without end"),
        ('{"$schema": "http://example.com/mine"}', "unknown .schema"),
        ('{"$schema": 7}', "unknown .schema 7"),
        ('{"minimum": 1e400}', "a number beyond a double"),
    ],
)
def test_a_wrong_schema_is_one_line_before_any_answer(schema: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        JsonSchema(schema)
    assert "\n" not in str(caught.value)
    assert json_schema("{}", schema) == 0.0


def test_data_that_look_like_a_pattern_are_none() -> None:
    assert JsonSchema('{"const": {"pattern": "("}}')('{"pattern": "("}') == 1.0


def test_the_evaluate_stage_knows_the_judgements_by_name() -> None:
    assert row_scorer("json_schema")('{"intent": "buy"}', INTENT) == 1.0
    assert row_scorer(r"regex:\d:\d+")("4:20", "") == 1.0


@pytest.mark.parametrize("draft", ["draft-03", "draft-04", "draft-07", "2019-09", "2020-12"])
def test_patterns_of_schemas_end_and_hold_as_the_librarys(draft: str) -> None:
    host = "https://json-schema.org/draft/" if draft[0] == "2" else "http://json-schema.org/"
    schema: dict[str, object] = {
        "$schema": f"{host}{draft}/schema#".removesuffix("#" * (draft[0] == "2")),
        "properties": {"a": {"pattern": "^b+$"}},
        "patternProperties": {"^n": {"type": "number"}, "z$": {"type": "string"}},
        "additionalProperties": {"type": "null"},
    }
    ours, theirs = (
        JsonSchema(json.dumps(schema)),
        jsonschema.validators.validator_for(schema)(schema),
    )
    for value in (
        {"a": "bb"},
        {"a": "c"},
        {"n1": 1},
        {"n1": "1"},
        {"nz": 1},
        {"x": None},
        {"x": 1},
        3,
    ):
        assert ours(json.dumps(value)) == theirs.is_valid(value), value
    endless = JsonSchema(
        json.dumps({**schema, "patternProperties": {"^(a|a)*$": {}, "(a+)+$": {}}})
    )
    started = time.process_time()
    endless(json.dumps({"a" * 60 + "!": 1}))
    assert time.process_time() - started < 1.0


def test_a_schema_whose_trial_would_take_for_ever_is_read() -> None:
    """Each of 40 parts is the next one or the next one: 2^40 ways, and no part within itself."""
    refs = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    chain = {"$defs": {**refs, "d40": {"type": "string"}}, "$ref": "#/$defs/d0"}
    assert JsonSchema(json.dumps(chain))('"a"') == 1.0
    started = time.process_time()
    assert JsonSchema(json.dumps(chain))("1") == 0.0
    with pytest.raises(SpecError, match="more than 20000 times"):
        JsonSchema(json.dumps(chain)).complaint(1)
    assert time.process_time() - started < 5.0
    within = {"properties": {"a": {"$ref": "#"}}, "anyOf": [{"required": ["a"]}, {"required": []}]}
    assert JsonSchema(json.dumps(within))('{"a": {}}') == 1.0
