"""A training row after the data door: a conversation and where it came from."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation in OpenAI's message form.

    `id` is the start of the sha256 of its canonical JSON; `file` and `row` (from 1) say where it was
    read. A message may carry `weight: 0`, which means: read it, do not learn it."""

    id: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...] | None
    file: str
    row: int

    def to_json(self) -> dict[str, Any]:
        """Plain data for a JSONL line."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Row":
        """The inverse of `to_json`."""
        tools = data["tools"]
        return Row(
            id=data["id"],
            messages=tuple(data["messages"]),
            tools=tuple(tools) if tools is not None else None,
            file=data["file"],
            row=data["row"],
        )


def write_rows(rows: Iterable[Row]) -> str:
    """The rows as JSONL text."""
    return "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)


def parse_rows(text: str) -> list[Row]:
    """The inverse of `write_rows`."""
    return [Row.from_json(json.loads(line)) for line in text.split("\n") if line]
