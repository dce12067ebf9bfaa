"""Held-out questions that are like training questions no more than those are like each other.

Where answers are labels, short questions of few kinds are alike by nature: of a clean split of an intent set
a fifth may be. They are leaks where more of them are found than in training rows that are held out for a
trial, by four standard deviations."""

from collections.abc import Sequence, Set
from math import sqrt
from typing import NamedTuple

from finewright.data.overlap import near_questions_of, near_rows
from finewright.guard.duplicates.questions import NearQuestion
from finewright.judge.labels import labels_of
from finewright.rows.texts import answer_text
from finewright.schema.rows import Row

_MOST_HELD_OUT = 1000
_LEAST_STEP = 5
_DEVIATIONS = 4.0


class QuestionLeaks(NamedTuple):
    """Place of each row that leaked -> the training row; how many rows are as alike by nature, of the leaked
    about, of the others all."""

    leaked: dict[int, NearQuestion]
    num_usual: int


def leaked_questions(
    train: Sequence[Row], held_out: Sequence[Row], near: Set[int], similarity: float
) -> QuestionLeaks:
    """Of the held-out rows that are not `near` a training row already, those that ask nearly what it asks.

    Where answers are labels, up to 1,000 training rows, a fifth at most, are compared with the others."""
    alike = {i: q for i, q in near_questions_of(train, held_out).items() if i not in near}
    if not alike or not labels_of(map(answer_text, train)):
        return QuestionLeaks(alike, 0)
    by_nature = _by_nature(train, similarity)
    num = len(held_out) - len(near)
    for least in sorted({question.share for question in alike.values()}):
        leaked = {i: q for i, q in alike.items() if q.share >= least}
        usual = sum(share >= least for share in by_nature.shares)
        if _are_more((len(leaked), num), (usual, by_nature.num)):
            return QuestionLeaks(leaked, round(num * usual / by_nature.num))
    return QuestionLeaks({}, len(alike))


def _are_more(found: tuple[int, int], usual: tuple[int, int]) -> bool:
    """Is the first share (hits, of so many) above the second by four deviations (two-proportion z-test)?"""
    (hits, num), (other, num_other) = found, usual
    pooled = (hits + other) / (num + num_other)
    deviation = sqrt(pooled * (1 - pooled) * (1 / num + 1 / num_other))
    return hits / num - other / num_other > _DEVIATIONS * deviation


class _ByNature(NamedTuple):
    """The shares of words of training rows that ask nearly what others ask, of so many looked at."""

    shares: list[float]
    num: int


def _by_nature(train: Sequence[Row], similarity: float) -> _ByNature:
    step = max(_LEAST_STEP, len(train) // _MOST_HELD_OUT)
    drawn = train[::step]
    others = [row for i, row in enumerate(train) if i % step]
    near = near_rows(others, drawn, similarity)
    alike = near_questions_of(others, drawn)
    shares = [question.share for i, question in alike.items() if i not in near]
    return _ByNature(shares, max(1, len(drawn) - len(near)))
