"""Systems answer rows. What the log has is not asked again; an asking that was cut goes on where it was."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple, Protocol

from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.evaluate.samples import row_of_sample, with_text
from finewright.evaluate.score import ScoredSet, ScoreOptions, score_answers
from finewright.schema.common import Model, Problem, without
from finewright.schema.evaluate import Sample
from finewright.schema.rows import Row
from finewright.store.answers import AnswerKey, AnswersLog
from finewright.store.keys import digest

OnProgress = Callable[[str, str, int, int], None]
"""Called with system, row set, rows answered and rows in all; may raise to stop."""


class RowAnswer(Model):
    """An answer, what it took, and what else a system says of the row.

    `nll` is the loss of the expected answer's `expected_tokens`, where perplexity is asked for; an answer
    of a batch took its share of the batch's `milliseconds`. `context_cut`: it reached the end of what the
    model reads."""

    sample: Sample
    prompt_tokens: int | None = None
    nll: float | None = None
    expected_tokens: int | None = None
    milliseconds: float | None = None
    context_cut: bool = False


class AnsweredBatch(NamedTuple):
    """Rows that were answered together: the place of each in its set, and the answer."""

    places: Sequence[int]
    answers: Sequence[RowAnswer]


class System(Protocol):
    """What answers rows: a model in this process, one behind an endpoint, a classifier."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        ...

    @property
    def key(self) -> str:
        """A digest of all that decides its answers beside the row and the settings."""
        ...

    def answers(
        self, row_set: RowSet, settings: Settings, missing: Set[int]
    ) -> Iterator[AnsweredBatch]:
        """Answers to the rows at these places, and to those that are answered together with one of them."""
        ...


@dataclass(frozen=True, slots=True)
class SystemAnswers:
    """A system's answers to a set of rows."""

    system: str
    data: str
    answers: tuple[RowAnswer, ...]

    @property
    def samples(self) -> list[Sample]:
        """The answers as samples.jsonl has them."""
        return [answer.sample for answer in self.answers]

    def score(
        self,
        metrics: Sequence[str],
        options: ScoreOptions,
        text: Callable[[str], str] = lambda answer: answer,
    ) -> ScoredSet:
        """The metrics; `text` is what is compared of an answer's text."""
        answered = [
            replace(
                with_text(row_of_sample(answer.sample), text(answer.sample.answer)),
                nll=answer.nll,
                num_tokens=answer.expected_tokens,
            )
            for answer in self.answers
        ]
        return score_answers(self.system, self.data, metrics, answered, options)


def read_answers_of_samples(system: str, data: str, samples: Sequence[Sample]) -> SystemAnswers:
    """The answers of a samples.jsonl, under the name of this system and set. They have no perplexity."""
    return SystemAnswers(system, data, tuple(RowAnswer(sample=sample) for sample in samples))


def ask(
    system: System,
    row_set: RowSet,
    settings: Settings,
    log: AnswersLog[RowAnswer],
    on_progress: OnProgress,
) -> SystemAnswers:
    """The system's answers to the rows: what the log has, and of the other rows what it says now."""
    how = _digest_settings(settings)
    keys = [AnswerKey(system.key, digest(row.to_json()), how) for row in row_set.rows]
    missing = {i for i, key in enumerate(keys) if key not in log}
    if missing:
        done = len(keys) - len(missing)
        on_progress(system.name, row_set.name, done, len(keys))
        for places, answers in system.answers(row_set, settings, missing):
            found = zip(places, answers, strict=True)
            log.add((keys[i], answer) for i, answer in found if i in missing)
            done += len(missing.intersection(places))
            on_progress(system.name, row_set.name, done, len(keys))
    answers = _rename_answers([log[key] for key in keys], system.name, row_set.name)
    return SystemAnswers(system.name, row_set.name, answers)


def _digest_settings(settings: Settings) -> str:
    """Of all that decides an answer and the scores that are kept with it."""
    code = {name: function.sha256 for name, function in settings.own.items()}
    said = without(asdict(replace(settings, own={})), ("options", "own"))
    return digest(said, code) if code else digest(said)


def _rename_answers(answers: Sequence[RowAnswer], system: str, data: str) -> tuple[RowAnswer, ...]:
    """Answers of the log, which may have been given under other names."""
    named = {"system": system, "data": data}
    return tuple(
        each.model_copy(update={"sample": each.sample.model_copy(update=named)}) for each in answers
    )


def measure(
    system: System,
    row_set: RowSet,
    settings: Settings,
    log: AnswersLog[RowAnswer],
    on_progress: OnProgress,
) -> Measured:
    """Ask the rows that the log lacks, and score all, as a score card has it."""
    found = ask(system, row_set, settings, log, on_progress)
    scored = found.score(settings.metrics, settings.options)
    problems = tuple(_context_cut(found, row_set.rows))
    return Measured(system.name, row_set.name, scored, tuple(found.samples), problems)


def _context_cut(found: SystemAnswers, rows: Sequence[Row]) -> Iterator[Problem]:
    cut = [i for i, answer in enumerate(found.answers) if answer.context_cut]
    if cut:
        row, first = rows[cut[0]], found.answers[cut[0]]
        reads = (first.prompt_tokens or 0) + (first.sample.num_tokens or 0)
        yield Problem(
            level="warning",
            file=row.file,
            row=row.row,
            message=f"{found.system} on {found.data}: {len(cut)} of {len(rows)} answers reached the end of"
            f" the {reads:,} tokens that the model reads before max_new_tokens, this one first",
            hint="shorten these questions, or lower max_new_tokens",
        )
