"""A model in this process answers rows: batch by batch, the longest questions first.

A model in this process.

A model in this process as a system, which is loaded only where a row must be asked."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING

from finewright.compare.asking import AnsweredBatch, RowAnswer
from finewright.errors import DataError
from finewright.estimate.context import no_room
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.answers import (
    HeldOutQuestion,
    Response,
    answer_all,
    nll_of_expected,
    preferences,
    question_of,
    reads_of,
)
from finewright.evaluate.measured import RowSet, Settings
from finewright.evaluate.own import score_by_own
from finewright.evaluate.samples import record_calls
from finewright.evaluate.score import PREFERENCE, find_speechless, row_scores
from finewright.judge.answer import Answer, text_to_compare
from finewright.judge.calls import Due, find_undeclared
from finewright.schema.common import Problem
from finewright.schema.evaluate import LOSS_METRICS, Sample
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.evaluate.answers import Rate
    from finewright.lm.chat import Chat
    from finewright.lm.engine.draft import DraftGuesses
    from finewright.lm.model import LM


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model as it stands in `lm`, its chat template, and the name it goes by in reports.

    `rate` is a reward model's own rating; `system_prompt` is what the model was trained with, and so what it
    should be asked with. `dropped` are the switches of the chat template that were asked for and that its
    template does not know. `draft` guesses tokens ahead. Answers are held to a `json_schema`."""

    name: str
    lm: "LM"
    chat: "Chat"
    rate: "Rate | None" = None
    system_prompt: str = ""
    dropped: tuple[str, ...] = ()
    draft: "DraftGuesses | None" = None
    json_schema: str = ""


_PAIRS_AT_ONCE = 4


def _places(questions: Sequence[HeldOutQuestion], missing: Set[int], batch_size: int) -> list[int]:
    """Of the batches that have a missing one, the longest prompts first."""
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i].prompt_ids))
    starts = range(0, len(order), batch_size)
    batches = [order[start : start + batch_size] for start in starts]
    return [i for batch in batches if not missing.isdisjoint(batch) for i in batch]


def answer_batches(
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
            _answer_row(subject, questions[i], response, preferred[i], settings)
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
        if problem := find_speechless(metric, row_set.name, due):
            raise DataError(problem.message, hint=problem.hint)


def _responses(
    subject: LoadedModel, questions: Sequence[HeldOutQuestion], settings: Settings
) -> Iterator[tuple[int, Response]]:
    """What the model says to each question, as it says it; nothing is asked when only preferences are
    measured, and of documents."""
    if set(settings.metrics) == {PREFERENCE} or any(each.row.is_text for each in questions):
        yield from ((i, Response(Answer(""))) for i in range(len(questions)))
        return
    yield from answer_all(
        subject.lm,
        subject.chat,
        questions,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        max_thought_tokens=settings.max_thought_tokens,
        json_schema=subject.json_schema,
    )


def _answer_row(
    subject: LoadedModel,
    question: HeldOutQuestion,
    response: Response,
    preferred: float | None,
    settings: Settings,
) -> AnsweredRow:
    nll, num_tokens = None, None
    if any(metric in LOSS_METRICS for metric in settings.metrics):
        nll, num_tokens = nll_of_expected(subject.lm, subject.chat, question.row)
    said, due = response.answer, question.due
    text = text_to_compare(said, due.answer)
    return AnsweredRow(
        question.row.row,
        question.expected,
        text,
        nll,
        num_tokens,
        preferred,
        said,
        due,
        score_by_own(settings.own, text, question.row),
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
        answer=text_to_compare(said, due.answer),
        stopped=said.ended,
        scores=scores,
        thoughts=said.thoughts,
        calls=record_calls(said),
        expected_calls=record_calls(due.answer),
        tools_undeclared=tuple(find_undeclared(said.calls, due.tools)),
        fault=said.fault,
        num_tokens=response.num_tokens,
        num_thought_tokens=response.num_thought_tokens,
        thought_cut=response.thought_cut,
    )


def keep_row(row: Row) -> Row:
    """The row as it is."""
    return row


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that `load` gives, asked greedily; `prepare` puts something before what a row asks.

    `key` says which model it is and what is put there."""

    name: str
    key: str
    load: Callable[[], LoadedModel]
    prepare: Callable[[Row], Row] = keep_row

    def answers(
        self, row_set: RowSet, settings: Settings, missing: Set[int]
    ) -> Iterator[AnsweredBatch]:
        """See `answer_batches`."""
        subject = replace(self.load(), name=self.name)
        prepared = replace(row_set, rows=[self.prepare(row) for row in row_set.rows])
        yield from answer_batches(subject, prepared, settings, missing)


def system_of_loaded(subject: LoadedModel, key: str) -> LocalModel:
    """A model that is in memory already, as a system."""
    return LocalModel(subject.name, key, lambda: subject)
