"""Parameters as JSON Schema, and which of the right values are given."""

import pytest
from jsonschema import Draft202012Validator

from finewright.data.sets.tool_calls import choose_arguments, json_schema

BFCL = {
    "type": "dict",
    "required": ["body"],
    "properties": {
        "body": {
            "type": "dict",
            "properties": {
                "mode": {"type": "string", "enum": ["A", "B"], "optional": True},
                "at": {"type": "tuple", "items": {"type": "float"}},
                "type": {"type": "any", "description": "A parameter that is called type."},
            },
        },
        "limit": {"type": "integer", "default": 5},
    },
}


def test_types_are_those_of_json_schema_at_every_depth():
    schema = json_schema(BFCL)
    Draft202012Validator.check_schema(schema)
    assert schema == {
        "type": "object",
        "required": ["body"],
        "properties": {
            "body": {
                "type": "object",
                "properties": {
                    "mode": {"type": "string", "enum": ["A", "B"]},
                    "at": {"type": "array", "items": {"type": "number"}},
                    "type": {"description": "A parameter that is called type."},
                },
            },
            "limit": {"type": "integer", "default": 5},
        },
    }


@pytest.mark.parametrize(
    ("accepted", "said", "chosen"),
    [
        ({"limit": [7, 8]}, "", {"limit": 7}),
        ({"limit": ["", 5]}, "show 5 of them", {"limit": 5}),
        ({"limit": [5, ""]}, "show 50 of them", {}),
        ({"limit": [""]}, "", {}),
        (
            {"body": [{"mode": ["A"], "at": [[1.5, 2]]}]},
            "",
            {"body": {"mode": "A", "at": [1.5, 2]}},
        ),
        (
            {"body": [{"mode": ["", "B"], "at": [[1]]}]},
            "mode b please",
            {"body": {"mode": "B", "at": [1]}},
        ),
        ({"body": ["", {}]}, "", {"body": {}}),
        ({"body": [""]}, "", {"body": ""}),
        ({"body": [{"literal": 1}]}, "", {"body": {"literal": 1}}),
        (
            {"body": [[{"mode": ["A"]}, {"mode": ["B"]}]]},
            "",
            {"body": [{"mode": "A"}, {"mode": "B"}]},
        ),
        ({"tags": ["", ["red", "blue"]]}, "Blue and RED", {"tags": ["red", "blue"]}),
        ({"tags": ["", ["red", "blue"]]}, "only red", {}),
        ({"flag": ["", False]}, "false", {}),
    ],
)
def test_the_first_right_value_is_given_and_a_default_only_if_it_was_said(accepted, said, chosen):
    assert choose_arguments(accepted, json_schema(BFCL), said) == chosen
