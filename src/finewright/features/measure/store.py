"""What an experiment keeps as it goes, so that one that was killed goes on where it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from finewright.evaluate.arms import without_quotes
from finewright.evaluate.samples import answered_of, with_text
from finewright.evaluate.score import Scored, ScoreOptions, score_answers
from finewright.schema.common import Model
from finewright.schema.evaluate import EvaluateSpec, Sample
from finewright.store.atomic import os_errors, read_json, write_json

if TYPE_CHECKING:
    from finewright.evaluate.measure import Measured

Record = TypeVar("Record", bound=BaseModel)


class Given(Model):
    """A system's answers to some rows, and what they took."""

    system: str
    data: str
    samples: tuple[Sample, ...]
    nll: tuple[float | None, ...]
    expected_tokens: tuple[int | None, ...]
    prompt_tokens: tuple[int, ...]
    answer_tokens: tuple[int, ...]

    @property
    def answers(self) -> list[str]:
        """What was said, without lines of quotes."""
        return [without_quotes(sample.answer) for sample in self.samples]


def given_of(measured: "Measured", prompt_tokens: list[int], answer_tokens: list[int]) -> Given:
    """A measurement as it is kept."""
    answered = measured.scored.answers
    return Given(
        system=measured.system,
        data=measured.data,
        samples=measured.samples,
        nll=tuple(a.nll for a in answered),
        expected_tokens=tuple(a.num_tokens for a in answered),
        prompt_tokens=tuple(prompt_tokens),
        answer_tokens=tuple(answer_tokens),
    )


def scored(given: Given, metrics: tuple[str, ...], options: ScoreOptions) -> Scored:
    """The metrics of the answers proper: quotes of passages are no part of what is compared."""
    rows = zip(given.samples, given.answers, given.nll, given.expected_tokens, strict=True)
    answered = [
        replace(with_text(answered_of(sample), answer), nll=nll, num_tokens=num_tokens)
        for sample, answer, nll, num_tokens in rows
    ]
    return score_answers(given.system, given.data, metrics, answered, options)


def options_of(spec: EvaluateSpec) -> ScoreOptions:
    """How intervals are made."""
    return ScoreOptions(spec.confidence, spec.resamples, spec.seed)


def kept(path: Path, model: type[Record], make: Callable[[], Record]) -> Record:
    """The record in the file, or the one that is made now and put there."""
    if path.is_file():
        return read_json(path, model, hint="remove the file; it is made again")
    record = make()
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record.model_dump(mode="json"))
    return record
