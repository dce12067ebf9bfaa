"""What a row asks and what it answers is one thing everywhere."""

from dataclasses import replace

import pytest

from finewright.rows.identity import row_id
from finewright.schema.rows import Message, Row

SYSTEM = {"role": "system", "content": "s"}
Q1, Q2 = ({"role": "user", "content": text} for text in ("q1", "q2"))
A1, A2, B1 = ({"role": "assistant", "content": text} for text in ("a1", "a2", "b1"))
THANKS = {"role": "user", "content": "ok thanks"}


def read_only(turn: Message) -> Message:
    return {**turn, "weight": 0}


def row(*turns: Message, rejected: tuple[Message, ...] | None = None) -> Row:
    return Row("", turns, None, "a.jsonl", 1, rejected=rejected)


@pytest.mark.parametrize(
    ("made", "kind", "prompt", "answer"),
    [
        (row(Q1, A1), "conversation", (Q1,), A1),
        (row(Q1, A1, THANKS), "conversation", (Q1,), A1),
        (row(SYSTEM, Q1, A1, Q2, A2), "conversation", (SYSTEM, Q1, A1, Q2), A2),
        (row(Q1, A1, Q2, read_only(A2)), "conversation", (Q1,), A1),
        (row(A1, Q1), "conversation", (), A1),
        (row(Q1), "prompt", (Q1,), None),
        (row(Q1, read_only(A1), Q2), "prompt", (Q1, read_only(A1), Q2), None),
        (row(Q1, A1, rejected=(Q1, B1)), "pair", (Q1,), A1),
        # Of longer sides the prompt ends where they part; what each answers first is no prompt.
        (row(Q1, A1, Q2, A2, rejected=(Q1, B1, Q2, A2)), "pair", (Q1,), A2),
        (
            row(Q1, read_only(A1), Q2, A2, rejected=(Q1, read_only(A1), Q2, B1)),
            "pair",
            (Q1, read_only(A1), Q2),
            A2,
        ),
    ],
)
def test_what_is_asked_and_what_is_answered(
    made: Row, kind: str, prompt: tuple[Message, ...], answer: Message | None
) -> None:
    assert (made.kind, made.prompt, made.answer) == (kind, prompt, answer)
    assert made.is_prompt is (answer is None)


def test_every_turn_that_is_learned_is_known() -> None:
    assert row(SYSTEM, Q1, A1, Q2, read_only(A2), Q2, A2, THANKS).answers_at == (2, 6)


# As earlier versions named them: what they split stays split.
IDS = [
    (row(Q1, A1), "d82c22959c0adeab"),
    (replace(row(Q1, A1, THANKS), columns={"meta": 1}), "49b0ce436df7bdc5"),
    (replace(row(Q1, read_only(A1), Q2), columns={"answer": "x"}), "b77335441e6d15f4"),
    (row(Q1, A1, rejected=(Q1, B1)), "a89cf5efad529bd6"),
]


@pytest.mark.parametrize(("made", "id"), IDS)
def test_rows_keep_their_ids(made: Row, id: str) -> None:
    assert row_id(made) == id
