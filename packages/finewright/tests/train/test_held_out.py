"""Held-out rows that no look sees are counted, with the reason."""

import pytest

import tiny
from finewright.lm.encode import encode_rows
from finewright.schema.rows import Row
from finewright.train.held_out import left_out

pytestmark = pytest.mark.torch


def row(number: int, asked: str, *others: dict[str, str]) -> Row:
    turns = ({"role": "user", "content": asked}, *others, {"role": "assistant", "content": "A"})
    return Row(str(number), turns, None, "eval.jsonl", number)


def test_what_is_too_long_or_refused_is_said() -> None:
    broken = {"role": "assistant", "content": "<think>never closed"}
    rows = [row(1, "Q"), row(2, "x" * 300), row(3, "y" * 300), row(4, "Q", broken)]

    def told(rows: list[Row]) -> list[tuple[int | None, str]]:
        held_out = encode_rows(tiny.tiny_chat(), rows, max_length=100, on_overlong="drop")
        return [(p.row, p.message) for p in left_out(held_out, 100) if p.level == "warning"]

    assert told(rows[:1]) == []
    assert told(rows[:3]) == [
        (None, "2 of 3 held-out rows are not in the held-out loss: 2 longer than 100 tokens")
    ]
    ((number, message),) = told(rows)
    assert number == 4
    assert message.startswith(
        "3 of 4 held-out rows are not in the held-out loss: 2 longer than 100 tokens; 1 that cannot be"
        " learned, this one first: messages[1]: a thought that never closes"
    )
