"""One row through the door, and what came out of it, for all tests of formats."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from finewright.data.validate import Validated, validate
from finewright.rows.read import ReadRow
from finewright.schema.rows import Row

Q = {"role": "user", "content": "Q"}
A = {"role": "assistant", "content": "A"}
B = {"role": "assistant", "content": "B"}
S = {"role": "system", "content": "S"}
Q2 = {"role": "user", "content": "Q2"}
A2 = {"role": "assistant", "content": "A2"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def read_only(message: dict) -> dict:
    return {**message, "weight": 0}


def calling(*arguments: dict | str, name: str = "f", first: int = 1) -> dict:
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": each}}
        for i, each in enumerate(arguments, start=first)
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(content: str, number: int = 1, **more: str) -> dict:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content, **more}


class Out(NamedTuple):
    """What a row says, without where it was read."""

    messages: list
    rejected: list | None = None
    label: bool | None = None
    tools: list | None = None
    columns: Mapping = MappingProxyType({})


def out(row: Row) -> Out:
    return Out(
        list(row.messages),
        None if row.rejected is None else list(row.rejected),
        row.label,
        None if row.tools is None else list(row.tools),
        dict(row.columns),
    )


def door(*rows: dict, type: Any = "auto", **asked: Any) -> Validated:
    numbered = [ReadRow("rows.jsonl", i, data) for i, data in enumerate(rows, start=1)]
    return validate(numbered, type, **asked)


def passes(row: dict, expected: Out, data_type: str, **asked: Any) -> None:
    """The row becomes that one, of that type, and there is nothing to say about it."""
    found = door(row, **asked)
    assert found.problems == ()
    assert [out(row) for row in found.rows] == [expected]
    assert found.types == {data_type: 1}
    assert [(row.file, row.row) for row in found.rows] == [("rows.jsonl", 1)]


def refused(row: dict, **asked: Any) -> list[tuple[str, str]]:
    """(key, message) of each error; the row is counted as invalid."""
    found = door(row, **asked)
    assert found.rows == ()
    assert found.counts.rows_dropped == {"invalid": found.counts.rows_in}
    return [(p.key, p.message) for p in found.problems if p.level == "error"]
