"""The rows that `rag+ft` is trained on: the training rows with passages, as `data raft` makes them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError
from finewright.evaluate.arms import answer_of, gold_of, question_of
from finewright.schema.common import Problem
from finewright.schema.raft import RaftQuestion, RaftSpec
from finewright.schema.rows import Message, Row
from finewright_advice.measure.library import Library
from finewright_advice.schema.measure import MeasureSpec

if TYPE_CHECKING:
    from finewright.lm.chat import Chat

_ROUNDED_TO = 64
_NO_LIMIT = 1 << 20


class RaftRows(NamedTuple):
    """The rows with passages, how long the longest is in tokens, and what was left out."""

    rows: list[Row]
    max_length: int
    problems: tuple[Problem, ...]


def raft_rows(rows: Sequence[Row], library: Library, spec: MeasureSpec, chat: "Chat") -> RaftRows:
    """Each training row with as many passages as a prompt has, and an answer that quotes.

    A row becomes none where its documents do not hold its answer; such are counted. Raises DataError where
    none is left."""
    shelf = library.shelf
    made = library.raft(
        RaftSpec(
            distractors=min(20, max(1, shelf.results - 1)),
            gold_share=spec.raft.gold_share,
            unanswerable_share=spec.raft.unanswerable_share,
            max_tokens=_NO_LIMIT,
            seed=spec.seed,
        ),
    )
    found: list[Row] = []
    dropped: Counter[str] = Counter()
    for row in rows:
        if not gold_of(row):
            dropped["no_gold"] += 1
            continue
        question = RaftQuestion(question_of(row), answer_of(row), gold_of(row))
        result = made.row(question)
        if not isinstance(result, str):
            found.append(replace(row, messages=(*_before(row), *result["messages"])))
    dropped += made.dropped
    if not found:
        raise DataError(
            "rag+ft: no training row can be given passages: " + _counted(dropped),
            hint="each needs `gold`, the ids of the documents that hold its answer; or leave the arm out",
        )
    longest = max(len(chat.tokens(chat.rendered(row.messages, row.tools)).ids) for row in found)
    problems = (_left_out(dropped, len(rows)),) if dropped else ()
    return RaftRows(found, -(-longest // _ROUNDED_TO) * _ROUNDED_TO, problems)


def _before(row: Row) -> tuple[Message, ...]:
    """What stands before the question: a system prompt, earlier turns."""
    last = max(i for i, message in enumerate(row.messages) if message["role"] == "user")
    return row.messages[:last]


def _left_out(dropped: Counter[str], num_rows: int) -> Problem:
    return Problem(
        level="warning",
        key="measure.arms",
        message=f"rag+ft is trained on {num_rows - dropped.total()} of {num_rows} rows: {_counted(dropped)}",
    )


def _counted(dropped: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped.items())
