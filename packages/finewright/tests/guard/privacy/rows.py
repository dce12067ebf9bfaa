"""Rows for the tests of this folder."""

from typing import Any

from finewright.rows.identity import renew_id
from finewright.schema.rows import Row


def row_of(*texts: str, number: int = 1, file: str = "a.jsonl", **more: Any) -> Row:
    """A conversation of user and assistant in turn."""
    roles = ("user", "assistant")
    turns = tuple({"role": roles[i % 2], "content": text} for i, text in enumerate(texts))
    return renew_id(Row(id="", messages=turns, tools=None, file=file, row=number, **more))
