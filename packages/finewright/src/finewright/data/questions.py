"""Held-out questions that are nearly training questions, and more so than those are like each other.

What is compared is what each row asks, without what many of them ask besides: the task, the tools that there
are. Where answers are labels, short questions of few kinds are alike by nature: of a clean split of an intent
set a fifth may be. They are leaks where more of them are found than in training rows that are held out for a
trial, by four standard deviations."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from finewright.data.overlap import near_rows
from finewright.guard.duplicates.questions import NearQuestion, near_questions
from finewright.judge.labels import labels_of
from finewright.rows.texts import answer_text, parts_of
from finewright.schema.rows import Row, RowParts

_END = re.compile(r"\n+|(?<=[.!?:])\s+")
_WORD = re.compile(r"\w+")
_LONG, _MANY = 5, 10
_MOST_USUAL = 200
_NEARLY = 0.6
_MOST_HELD_OUT = 1000
_LEAST_STEP = 5
_DEVIATIONS = 4.0


class QuestionLeaks(NamedTuple):
    """Place of each row that leaked -> the training row; how many rows are as alike by nature, of the leaked
    about, of the others all."""

    leaked: dict[int, NearQuestion]
    num_usual: int


def find_leaked_questions(
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
    """Whether the first share (hits, of so many) is above the second by four deviations (two-proportion
    z-test)."""
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


def near_questions_of(train: Sequence[Row], held_out: Sequence[Row]) -> dict[int, NearQuestion]:
    """Place of each held-out row that asks nearly what a training row does -> that row; documents ask
    nothing."""
    own = OwnQuestions(train)
    places = [[i for i, row in enumerate(rows) if not row.is_text] for rows in (train, held_out)]
    known, questions = (
        [own(rows[i]) for i in own_places]
        for rows, own_places in zip((train, held_out), places, strict=True)
    )
    found = near_questions(known, questions)
    return {places[1][i]: q._replace(of=places[0][q.of]) for i, q in found.items()}


class OwnQuestions:
    """Knows the usual clauses of the rows that train: of five words and more, in more than ten rows; at most
    200."""

    def __init__(self, train: Sequence[Row]) -> None:
        found = Counter(clause for row in train for clause in _long_clauses(parts_of(row).prompt))
        usual = [clause for clause, num in found.most_common(_MOST_USUAL) if num > _MANY]
        self._known = dict.fromkeys(usual, True)
        self._words = [_words_of(clause) for clause in usual]

    def __call__(self, row: Row) -> RowParts:
        """The row with its own question alone: all that it asks where it has no own clause."""
        parts = parts_of(row)
        own = [
            "".join(c for c in _split(text) if not self._is_usual(c.strip()))
            for text in parts.prompt
        ]
        questions = own if any(map(str.strip, own)) else parts.prompt
        return parts._replace(prompt=questions)

    def _is_usual(self, clause: str) -> bool:
        """Whether it is a usual clause, or one of five words and more nearly so."""
        if clause not in self._known and self._words:
            words = _words_of(clause)
            self._known[clause] = len(words) >= _LONG and any(
                len(words & usual) >= _NEARLY * max(len(words), len(usual)) for usual in self._words
            )
        return self._known.get(clause, False)


def _split(text: str) -> Iterator[str]:
    """The clauses, each with the space after it."""
    ends = [match.end() for match in _END.finditer(text)]
    return (text[start:end] for start, end in pairwise([0, *ends, len(text)]))


def _long_clauses(texts: Sequence[str]) -> set[str]:
    clauses = (clause.strip() for text in texts for clause in _split(text))
    return {clause for clause in clauses if len(clause.split()) >= _LONG}


def _words_of(clause: str) -> frozenset[str]:
    return frozenset(_WORD.findall(clause.lower()))
