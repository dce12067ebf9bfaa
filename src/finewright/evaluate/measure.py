"""Measure systems on the same rows: answers, scores with intervals, paired differences, samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from finewright.evaluate.answers import (
    Answer,
    Question,
    Rate,
    answer_all,
    expected_nll,
    preferences,
    question_of,
)
from finewright.evaluate.score import (
    PREFERENCE,
    Answered,
    Scored,
    ScoreOptions,
    alike_metrics,
    compare,
    score_answers,
)
from finewright.lm.chat import Chat
from finewright.lm.model import LM
from finewright.schema.evaluate import Difference, Sample, Score
from finewright.schema.rows import Row

_PAIRS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """How answers are made and scored; the fields of EvaluateSpec of the same names."""

    metrics: tuple[str, ...]
    max_new_tokens: int
    batch_size: int
    options: ScoreOptions


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a model as it stands in `lm`; `rate` is a reward model's own rating."""

    name: str
    lm: LM
    chat: Chat
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class RowSet:
    """A named set of held-out rows."""

    name: str
    rows: Sequence[Row]


class Measured(NamedTuple):
    """One system on one row set."""

    system: str
    data: str
    scored: Scored
    samples: tuple[Sample, ...]


OnProgress = Callable[[str, str, int, int], None]
"""Called with system, row set, rows answered and rows in all; may raise to stop."""


def measure(
    subject: Subject, row_set: RowSet, settings: Settings, on_progress: OnProgress
) -> Measured:
    """Ask every row and score the answers. The adapter is used as it stands in the subject's `lm`.

    Nothing is asked when only preferences are measured."""
    lm, chat, name = subject.lm, subject.chat, subject.name
    lm.model.eval()
    questions = [question_of(chat, row) for row in row_set.rows]
    answers = dict.fromkeys(range(len(questions)), Answer("", stopped=True))
    on_progress(name, row_set.name, 0, len(questions))
    if set(settings.metrics) != {PREFERENCE}:
        watch = partial(on_progress, name, row_set.name)
        answers = _answers(subject, questions, settings, watch)
    preferred: list[float | None] = [None] * len(questions)
    if PREFERENCE in settings.metrics:
        rows, rate = row_set.rows, subject.rate
        preferred[:] = preferences(lm, chat, rows, rate, batch_size=_PAIRS_AT_ONCE)
    needs_nll = "perplexity" in settings.metrics
    answered = [
        replace(
            _answered(lm, chat, question, answers[i], needs_nll=needs_nll), preferred=preferred[i]
        )
        for i, question in enumerate(questions)
    ]
    scored = score_answers(name, row_set.name, settings.metrics, answered, settings.options)
    samples = _samples(name, row_set.name, questions, answers, scored)
    return Measured(name, row_set.name, scored, samples)


def differences(
    measured: Sequence[Measured], pairs: Sequence[tuple[str, str]], options: ScoreOptions
) -> tuple[Difference, ...]:
    """The paired comparison of each (system, against) on every row set both answered, by the metrics that
    both have."""
    by_key = {(m.system, m.data): m.scored for m in measured}
    names = dict.fromkeys(m.data for m in measured)
    return tuple(
        difference
        for system, against in pairs
        for data in names
        if (system, data) in by_key and (against, data) in by_key
        for difference in compare(
            *alike_metrics(by_key[system, data], by_key[against, data]), options
        )
    )


def scores_of(measured: Sequence[Measured]) -> tuple[Score, ...]:
    """All scores, in the order they were measured."""
    return tuple(score for m in measured for score in m.scored.scores)


def _answers(
    subject: Subject,
    questions: Sequence[Question],
    settings: Settings,
    watch: Callable[[int, int], None],
) -> dict[int, Answer]:
    """What the subject says, by question; `watch` is told how many are done, and of how many."""
    answers: dict[int, Answer] = {}
    found = answer_all(
        subject.lm,
        subject.chat,
        questions,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
    )
    for index, answer in found:
        answers[index] = answer
        if len(answers) % settings.batch_size == 0 or len(answers) == len(questions):
            watch(len(answers), len(questions))
    return answers


def _answered(
    lm: LM, chat: Chat, question: Question, answer: Answer, *, needs_nll: bool
) -> Answered:
    nll, num_tokens = expected_nll(lm, chat, question.row) if needs_nll else (None, None)
    return Answered(question.row.row, question.expected, answer.text, nll, num_tokens)


def _samples(
    system: str,
    data: str,
    questions: Sequence[Question],
    answers: dict[int, Answer],
    scored: Scored,
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            system=system,
            data=data,
            row=question.row.row,
            prompt=question.asked,
            expected=question.expected,
            answer=answers[i].text,
            stopped=answers[i].stopped,
            scores=scored.per_row[i],
        )
        for i, question in enumerate(questions)
    )
