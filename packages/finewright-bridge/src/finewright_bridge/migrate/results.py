"""From a hosted fine-tune to an open model: what was read, what it became, and whether it is as good."""

from datetime import date
from typing import Literal

from pydantic import Field

from finewright.schema.common import Artifact, Model, Problem, Source
from finewright.schema.evaluate import Difference, Score

Verdict = Literal["parity", "worse", "open"]


class Carried(Model):
    """A setting of the hosted job, and what it is in the run's spec; `key` is empty where it has no
    counterpart."""

    setting: str
    value: str
    key: str = ""
    becomes: str = ""
    why: str


class ParityTerms(Model):
    """What parity is, said before the new model's answers exist: by `metric`, the new model may be at most
    `margin` below the old one, at a one-sided `confidence`."""

    metrics: tuple[str, ...]
    margin: float
    confidence: float
    golden_sha256: str
    stated_on: date

    @property
    def metric(self) -> str:
        """The one that decides: the first."""
        return self.metrics[0]


class Golden(Model):
    """The frozen answers of the old model: `origin` is the recorded file, or the address that was asked."""

    file: Artifact
    origin: str
    model: str
    rows: int
    rows_expected: int = Field(description="Of these, rows whose right answer is known.")


class Bound(Model):
    """Non-inferiority by a metric: new minus old on the same rows, its two-sided interval, and the one-sided
    bound that must stay above -margin."""

    old: Score
    new: Score
    base: Score
    difference: Difference
    bound: float
    rows_needed: int | None = Field(
        description="Rows with which equal models would pass four times in five; None where none differs."
    )


class Apart(Model):
    """A prompt that both models answer otherwise."""

    row: int
    prompt: str
    expected: str | None
    old: str
    new: str


class MigrateReport(Model):
    """The whole way from the hosted model to the open one."""

    name: str
    old_model: str
    base_model: str
    deadlines: tuple[str, ...]
    carried: tuple[Carried, ...]
    files: tuple[Source, ...]
    rows_read: int
    rows_train: int
    rows_removed: dict[str, int] = Field(
        description="Training rows that a golden prompt is near, by how."
    )
    golden: Golden
    stated: ParityTerms
    run: str
    against_expected: tuple[Bound, ...] = Field(
        description="Old and new model against the right answers, where they are known."
    )
    rows_repeated: int | None = Field(
        None, description="Golden rows that are training rows with other values."
    )
    repeated_rows: tuple[Bound, ...] = Field(
        (), description="As `against_expected`, on those rows alone."
    )
    new_rows: tuple[Bound, ...] = Field((), description="As `against_expected`, on all other rows.")
    agreement: tuple[Score, ...] = Field(description="The new model's answers against the old's.")
    agreement_bound: float = Field(
        description="One-sided lower bound of the share of rows with the same answer."
    )
    verdict: Verdict
    sentence: str
    apart: tuple[Apart, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Parity is proved."""
        return self.verdict == "parity"
