"""Calls whose arguments are texts between tags: Qwen 3 Coder and later, GLM, MiniMax, Muse.

The tags do not tell the number 4 from the text "4": the tool's declared types do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finewright.judge.answer import Call
from finewright.judge.calls import function_of, name_of_tool
from finewright.judge.json_text import json_at
from finewright.lm.answers.calls import ArgumentTypes, Block, CallsRead, collect_calls

_PYTHON = {"True": "true", "False": "false", "None": "null"}


@dataclass(frozen=True, slots=True)
class TaggedCalls:
    """`block` finds a call with its `name` and `body`, `argument` each `key` and `value` in the body, and
    `around` what stands around the calls."""

    marks: tuple[str, ...]
    block: re.Pattern[str]
    argument: re.Pattern[str]
    around: re.Pattern[str] | None = None

    def read(self, text: str, types: ArgumentTypes) -> CallsRead:
        """The calls in a text."""
        read = collect_calls(text, self._blocks(text, types))
        if self.around is None or not (read.calls or read.fault):
            return read
        return read._replace(content=self.around.sub("", read.content).strip())

    def _blocks(self, text: str, types: ArgumentTypes) -> Iterator[Block]:
        for found in self.block.finditer(text):
            yield Block(found.start(), found.end(), self._calls(found, types))

    def _calls(self, found: re.Match[str], types: ArgumentTypes) -> Sequence[Call] | None:
        name, body = found["name"], found["body"]
        declared = types.get(name, {})
        pairs = [(m["key"], m["value"]) for m in self.argument.finditer(body)]
        if self.argument.sub("", body).strip() or len(dict(pairs)) < len(pairs):
            return None
        return [Call(name, {key: parse_typed(value, declared.get(key)) for key, value in pairs})]


def parse_typed(text: str, types: frozenset[str] | None) -> Any:  # Any: free JSON
    """The value that a text between tags stands for, by the types that are declared, if any.

    A text that is no value of a declared type stays a text. Undeclared, what reads as a number, a list and
    so on is one."""
    spelled = _PYTHON.get(text.strip(), text)
    found = json_at(spelled, 0)
    if found is None or isinstance(found.value, str) or spelled[found.end :].strip():
        return text
    return found.value if types is None or type_of(found.value) & types else text


def type_of(value: object) -> frozenset[str]:
    """The JSON Schema types that a value is of."""
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int | float):
        whole = isinstance(value, int) or value.is_integer()
        return frozenset({"number", "integer"} if whole else {"number"})
    names = {dict: "object", list: "array", str: "string", type(None): "null"}
    return frozenset({names[type(value)]})


def argument_types(tools: Sequence[Mapping[str, Any]]) -> ArgumentTypes:
    """The types that the tools declare for their arguments; none for one whose schema does not say."""
    found = {}
    for tool in tools:
        properties = _object(_object(function_of(tool).get("parameters")).get("properties"))
        types = {key: _types(schema) for key, schema in properties.items()}
        found[name_of_tool(tool)] = {key: names for key, names in types.items() if names}
    return found


def _object(value: Any) -> Mapping[str, Any]:  # Any: free JSON
    """The value where it is an object; a schema that is none declares nothing."""
    return value if isinstance(value, Mapping) else {}


def _names_of_types(said: object) -> frozenset[str]:
    listed = said if isinstance(said, list) else [said]
    return frozenset(name for name in listed if isinstance(name, str))


def _types(schema: object) -> frozenset[str]:
    if not isinstance(schema, Mapping):
        return frozenset()
    names = _names_of_types(schema.get("type"))
    if not names and isinstance(schema.get("enum"), list):
        return frozenset().union(*map(type_of, schema["enum"]))
    for key in ("anyOf", "oneOf"):
        several = schema.get(key)
        parts = [_types(part) for part in several] if isinstance(several, list) else []
        names = names.union(*parts) if all(parts) else names
    return names
