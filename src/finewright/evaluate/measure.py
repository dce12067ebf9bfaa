"""Measure systems on the same rows: answers, scores with intervals, paired differences, samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from finewright.errors import DataError
from finewright.estimate.context import no_room
from finewright.evaluate.answers import (
    Question,
    Rate,
    Response,
    answer_all,
    expected_nll,
    preferences,
    question_of,
    reads_of,
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
from finewright.schema.common import Problem
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
    max_thought_tokens: int | None = None


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
    """One system on one row set, and what must be said of its answers."""

    system: str
    data: str
    scored: Scored
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()


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
    cut = [question for i, question in enumerate(questions) if answers[i].context_cut]
    problems = (_context_cut(subject, row_set, cut),) if cut else ()
    return Measured(name, row_set.name, scored, samples, problems)


def with_room(
    subject: Subject, row_sets: Sequence[RowSet], max_new_tokens: int
) -> tuple[list[RowSet], list[Problem]]:
    """The sets whose every question leaves the model room for its answer, and a warning for each other one,
    which would measure the model's context and not the model."""
    fitting, problems, reads = [], [], reads_of(subject.lm)
    for row_set in row_sets:
        lengths = [len(question_of(subject.chat, row).prompt_ids) for row in row_set.rows]
        what = no_room("a question is", max(lengths), max_new_tokens, subject.name, reads)
        if what:
            message = f"{subject.name} is not measured on {row_set.name}: {what}"
            hint = "lower max_new_tokens, or shorten the rows"
            problems.append(Problem(level="warning", message=message, hint=hint))
        else:
            fitting.append(row_set)
    return fitting, problems


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
        max_thought_tokens=settings.max_thought_tokens,
    )
    for index, answer in found:
        answers[index] = answer
        if len(answers) % settings.batch_size == 0 or len(answers) == len(questions):
            watch(len(answers), len(questions))
    return answers


def _context_cut(subject: Subject, row_set: RowSet, cut: Sequence[Question]) -> Problem:
    first = cut[0].row
    return Problem(
        level="warning",
        file=first.file,
        row=first.row,
        message=f"{subject.name} on {row_set.name}: {len(cut)} of {len(row_set.rows)} answers reached the end"
        f" of the {reads_of(subject.lm):,} tokens that the model reads before max_new_tokens, this one first",
        hint="shorten these questions, or lower max_new_tokens",
    )


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
            thought_cut=responses[i].thought_cut,
        )
        for i, question in enumerate(questions)
    )
