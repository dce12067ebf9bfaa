"""A model in this process answers rows: batch by batch, the longest questions first."""

from collections.abc import Iterator, Sequence, Set
from itertools import islice
from time import perf_counter

from finewright.compare.asking import AnsweredBatch, RowAnswer
from finewright.compare.models import LoadedModel
from finewright.errors import DataError
from finewright.estimate.context import no_room
from finewright.evaluate.answers import (
    HeldOutQuestion,
    Response,
    answer_all,
    expected_nll,
    preferences,
    question_of,
    reads_of,
)
from finewright.evaluate.measured import RowSet, Settings
from finewright.evaluate.samples import recorded_calls
from finewright.evaluate.score import PREFERENCE, AnsweredRow, row_scores, speechless
from finewright.judge.answer import Answer, compared_text
from finewright.judge.calls import Due, undeclared
from finewright.schema.common import Problem
from finewright.schema.evaluate import Sample

_PAIRS_AT_ONCE = 4


def _places(questions: Sequence[HeldOutQuestion], missing: Set[int], batch_size: int) -> list[int]:
    """Of the batches that have a missing one, the longest prompts first."""
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i].prompt_ids))
    starts = range(0, len(order), batch_size)
    batches = [order[start : start + batch_size] for start in starts]
    return [i for batch in batches if not missing.isdisjoint(batch) for i in batch]


def answered_batches(
    subject: LoadedModel, row_set: RowSet, settings: Settings, missing: Set[int]
) -> Iterator[AnsweredBatch]:
    """Rows as they are answered, `batch_size` at a time: those of `missing`, and all that would be begun
    beside one of them, as an answer may differ in its last digit beside other questions.

    The adapter is used as it stands. Raises DataError for a metric that has nothing to say of the rows."""
    lm, chat = subject.lm, subject.chat
    lm.model.eval()
    questions = [question_of(chat, row) for row in row_set.rows]
    check_speech(row_set, settings.metrics, [question.due for question in questions])
    preferred: list[float | None] = [None] * len(questions)
    if PREFERENCE in settings.metrics:
        rate = subject.rate
        preferred[:] = preferences(lm, chat, row_set.rows, rate, batch_size=_PAIRS_AT_ONCE)
    places = _places(questions, missing, settings.batch_size)
    answering = _responses(subject, [questions[i] for i in places], settings)
    started = perf_counter()
    while batch := list(islice(answering, settings.batch_size)):
        milliseconds = round(1000 * (perf_counter() - started) / len(batch), 1)
        ended = [places[number] for number, _ in batch]
        answered = [
            _answered(subject, questions[i], response, preferred[i], settings.metrics)
            for i, (_, response) in zip(ended, batch, strict=True)
        ]
        scores = row_scores(settings.metrics, answered)
        yield AnsweredBatch(
            ended,
            [
                RowAnswer(
                    sample=_sample(subject.name, row_set.name, questions[i], response, values),
                    prompt_tokens=len(questions[i].prompt_ids),
                    nll=each.nll,
                    expected_tokens=each.num_tokens,
                    context_cut=response.context_cut,
                    milliseconds=milliseconds,
                )
                for i, (_, response), each, values in zip(
                    ended, batch, answered, scores, strict=True
                )
            ],
        )
        started = perf_counter()


def with_room(
    subject: LoadedModel, row_sets: Sequence[RowSet], max_new_tokens: int
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


def check_speech(row_set: RowSet, metrics: Sequence[str], due: Sequence[Due]) -> None:
    """Raise DataError for a metric that has nothing to say of a row set."""
    for metric in metrics:
        if due and speechless(metric, due):
            raise DataError(
                f"{metric} says nothing of {row_set.name}: it applies to none of its {len(due)} rows",
                hint="no_call is of rows that expect no call; tool_calls is of every row",
            )


def _responses(
    subject: LoadedModel, questions: Sequence[HeldOutQuestion], settings: Settings
) -> Iterator[tuple[int, Response]]:
    """What the model says to each question, as it says it; nothing is asked when only preferences are
    measured."""
    if set(settings.metrics) == {PREFERENCE}:
        yield from ((i, Response(Answer(""))) for i in range(len(questions)))
        return
    yield from answer_all(
        subject.lm,
        subject.chat,
        questions,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        max_thought_tokens=settings.max_thought_tokens,
    )


def _answered(
    subject: LoadedModel,
    question: HeldOutQuestion,
    response: Response,
    preferred: float | None,
    metrics: Sequence[str],
) -> AnsweredRow:
    nll, num_tokens = None, None
    if "perplexity" in metrics:
        nll, num_tokens = expected_nll(subject.lm, subject.chat, question.row)
    said, due = response.answer, question.due
    return AnsweredRow(
        question.row.row,
        question.expected,
        compared_text(said, due.answer),
        nll,
        num_tokens,
        preferred,
        said,
        due,
    )


def _sample(
    system: str, data: str, question: HeldOutQuestion, response: Response, scores: dict[str, float]
) -> Sample:
    said, due = response.answer, question.due
    return Sample(
        system=system,
        data=data,
        row=question.row.row,
        prompt=question.last_turn,
        expected=question.expected,
        answer=compared_text(said, due.answer),
        stopped=said.ended,
        scores=scores,
        thoughts=said.thoughts,
        calls=recorded_calls(said),
        expected_calls=recorded_calls(due.answer),
        tools_undeclared=tuple(undeclared(said.calls, due.tools)),
        fault=said.fault,
        num_tokens=response.num_tokens,
        num_thought_tokens=response.num_thought_tokens,
        thought_cut=response.thought_cut,
    )
