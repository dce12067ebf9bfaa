"""A training row after the data door: a conversation, or two, and where it came from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Message = dict[str, Any]
RowKind = Literal["conversation", "pair", "rated", "prompt"]


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation in OpenAI's message form, with what else its type has.

    `id` is the start of the sha256 of its canonical JSON; `file` and `row` (from 1) say where it was
    read. A message may carry `weight: 0`, which means: read it, do not learn it.

    A preference pair has its chosen conversation in `messages` and the other in `rejected`, both whole and
    with the same prompt. An unpaired one has a `label`: was it liked? A prompt alone ends with the turn to
    be answered. `columns` are the row's other keys, for rewards."""

    id: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] | None
    file: str
    row: int
    rejected: tuple[Message, ...] | None = None
    label: bool | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answer_at(self) -> int | None:
        """Where the answer stands: the last assistant turn that is learned; None for a prompt alone.

        A turn after the answer, as a user's "ok thanks", makes no prompt of a conversation."""
        learned = (
            i
            for i in range(len(self.messages) - 1, -1, -1)
            if self.messages[i]["role"] == "assistant" and self.messages[i].get("weight", 1)
        )
        return next(learned, None)

    @property
    def kind(self) -> RowKind:
        """What the row is to learn from."""
        if self.rejected is not None:
            return "pair"
        if self.label is not None:
            return "rated"
        return "prompt" if self.answer_at is None else "conversation"

    @property
    def is_prompt(self) -> bool:
        """Is this a prompt alone, that a model is to answer?"""
        return bool(self.messages[-1]["role"] != "assistant")

    def to_json(self) -> dict[str, Any]:
        """Plain data for a JSONL line."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Row":
        """The inverse of `to_json`."""
        lists = {
            name: tuple(data[name]) if data.get(name) is not None else None
            for name in ("messages", "tools", "rejected")
        }
        return Row(**{**data, **lists})


def write_rows(rows: Iterable[Row]) -> str:
    """The rows as JSONL text."""
    return "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)


def parse_rows(text: str) -> list[Row]:
    """The inverse of `write_rows`."""
    return [Row.from_json(json.loads(line)) for line in text.split("\n") if line]
