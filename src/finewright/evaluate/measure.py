"""Measure systems on the same rows: answers, scores with intervals, paired differences, samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from finewright.errors import DataError
from finewright.evaluate.answers import (
    Question,
    Rate,
    Response,
    answer_all,
    expected_nll,
    preferences,
    question_of,
)
from finewright.evaluate.samples import answer_counts, recorded_calls
from finewright.evaluate.score import (
    PREFERENCE,
    Answered,
    Scored,
    ScoreOptions,
    alike_metrics,
    compare,
    score_answers,
    speechless,
)
from finewright.judge.answer import Answer, compared_text
from finewright.judge.calls import Due, undeclared
from finewright.lm.chat import Chat
from finewright.lm.model import LM
from finewright.schema.evaluate import AnswerCounts, Difference, Sample, Score
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
    check_speech(row_set, settings.metrics, [question.due for question in questions])
    answers = dict.fromkeys(range(len(questions)), Response(Answer("")))
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


def counts_of(measured: Sequence[Measured]) -> tuple[AnswerCounts, ...]:
    """What the answers of each system are made of, in the order they were measured; of those alone that were
    generated."""
    return tuple(
        answer_counts(m.system, m.data, m.samples)
        for m in measured
        if any(sample.num_tokens for sample in m.samples)
    )


def check_speech(row_set: RowSet, metrics: Sequence[str], due: Sequence[Due]) -> None:
    """Raise DataError for a metric that has nothing to say of a row set."""
    for metric in metrics:
        if due and speechless(metric, due):
            raise DataError(
                f"{metric} says nothing of {row_set.name}: it applies to none of its {len(due)} rows",
                hint="no_call is of rows that expect no call; tool_calls is of every row",
            )


def scores_of(measured: Sequence[Measured]) -> tuple[Score, ...]:
    """All scores, in the order they were measured."""
    return tuple(score for m in measured for score in m.scored.scores)


def _answers(
    subject: Subject,
    questions: Sequence[Question],
    settings: Settings,
    watch: Callable[[int, int], None],
) -> dict[int, Response]:
    """What the subject says, by question; `watch` is told how many are done, and of how many."""
    answers: dict[int, Response] = {}
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
    lm: LM, chat: Chat, question: Question, response: Response, *, needs_nll: bool
) -> Answered:
    nll, num_tokens = expected_nll(lm, chat, question.row) if needs_nll else (None, None)
    said, due = response.answer, question.due
    text = compared_text(said, due.answer)
    number = question.row.row
    return Answered(number, question.expected, text, nll, num_tokens, said=said, due=due)


def _samples(
    system: str,
    data: str,
    questions: Sequence[Question],
    responses: dict[int, Response],
    scored: Scored,
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            system=system,
            data=data,
            row=question.row.row,
            prompt=question.asked,
            expected=question.expected,
            answer=scored.answers[i].answer,
            stopped=responses[i].answer.ended,
            scores=scored.per_row[i],
            thoughts=responses[i].answer.thoughts,
            calls=recorded_calls(responses[i].answer),
            expected_calls=recorded_calls(question.due.answer),
            tools_undeclared=tuple(undeclared(responses[i].answer.calls, question.due.tools)),
            fault=responses[i].answer.fault,
            num_tokens=responses[i].num_tokens,
            num_thought_tokens=responses[i].num_thought_tokens,
        )
        for i, question in enumerate(questions)
    )
