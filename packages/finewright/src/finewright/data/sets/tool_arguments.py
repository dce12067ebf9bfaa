"""Arguments of a tool out of those that count as right, and the tool's parameters as JSON Schema.

The Berkeley Function Calling Leaderboard gives for each parameter the list of its right values, where
`""` says that it may be left out, and names types as Python does."""

import re
from collections.abc import Mapping, Sequence

from finewright.rows.notes import Json
from finewright.schema.common import without

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
_LEFT_OUT = ""


def json_schema(part: Json) -> Json:
    """The parameters with the types of JSON Schema; one of type `any` has none.

    `optional` goes: JSON Schema has no such key, and `required` says it."""
    schema = without(part, {"type", "optional"})
    if (type_ := part.get("type", "any")) != "any":
        schema = {"type": _TYPES.get(type_, type_), **schema}
    if isinstance(properties := part.get("properties"), dict):
        schema["properties"] = {name: json_schema(of) for name, of in properties.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            schema[key] = json_schema(part[key])
    return schema


def chosen_arguments(accepted: Mapping[str, Sequence[object]], schema: Json, said: str) -> Json:
    """One right value for each parameter that is given: the first.

    What may be left out is given only if the request has its first value in words: so that a model
    learns to fill in what it was told, not the defaults."""
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    chosen = {}
    for name, values in accepted.items():
        real = [value for value in values if value != _LEFT_OUT]
        may_be_left_out = len(real) < len(values) and name not in required
        if may_be_left_out and not (real and _is_said(real[0], said)):
            continue
        value = real[0] if real else _LEFT_OUT
        chosen[name] = _concrete(value, properties.get(name, {}), said)
    return chosen


def _concrete(value: object, schema: Json, said: str) -> object:
    """The value, where the right values of an object's parameters are listed in turn."""
    if isinstance(value, list):
        return [_concrete(item, schema.get("items", {}), said) for item in value]
    if isinstance(value, dict) and all(isinstance(inner, list) for inner in value.values()):
        return chosen_arguments(value, schema, said)
    return value


def _is_said(value: object, said: str) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_said(item, said) for item in value)
    if isinstance(value, bool | dict):
        return False
    pattern = rf"(?<!\w){re.escape(str(value))}(?!\w)"
    return re.search(pattern, said, re.I) is not None
