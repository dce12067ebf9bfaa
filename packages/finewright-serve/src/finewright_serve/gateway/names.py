"""Names of speakers: one that a chat template would not write is refused, never lost.

A rendering with a mark in place of each name shows which of them are written."""

from collections.abc import Mapping, Sequence
from typing import Any

from finewright.lm.marks import part_mark, unwritten
from finewright_serve.gateway.errors import unsupported

Rows = Sequence[Mapping[str, Any]]  # Any: OpenAI's form


def marks_of(messages: Rows) -> dict[int, str]:
    """The mark of each message that names its speaker; a result's name is that of the call it answers."""
    return {
        i: part_mark("name", i)
        for i, message in enumerate(messages)
        if message.get("name") and message["role"] != "tool"
    }


def marked(messages: Rows, marks: Mapping[int, str]) -> list[dict[str, Any]]:
    """The messages with the marks in place of the names."""
    return [
        {**message, "name": marks[i]} if i in marks else {**message}
        for i, message in enumerate(messages)
    ]


def refuse_lost(marks: Mapping[int, str], prompt: str) -> None:
    """Raise ApiError for the first mark that the prompt does not have."""
    for i in unwritten(marks, prompt):
        why = "the model's chat template has no place for it; write it into the content"
        raise unsupported(f"messages.{i}.name", why)
