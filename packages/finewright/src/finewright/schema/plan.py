"""What `check` and `plan` report."""

from typing import Any, Literal

from pydantic import Field

from finewright.schema.common import Model, Problem, RowCounts
from finewright.schema.differential_privacy import PrivacySpent
from finewright.schema.evaluate import Draw
from finewright.schema.train_section import TrainSpec


class PlannedSet(Model):
    """A set of rows that the run is measured on; `draw` where a `limit` leaves a part of its file."""

    name: str
    rows: int
    draw: Draw | None = None

    def line(self) -> str:
        """`test: 60 of 612 rows, drawn by seed 0`."""
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        return f"{self.name}: {self.draw.line() if self.draw else rows}"


class CheckReport(Model):
    """All that is wrong with a spec and the files it names, and what the run would be measured on."""

    name: str
    problems: tuple[Problem, ...]
    evaluation: tuple[PlannedSet, ...] = ()

    @property
    def passed(self) -> bool:
        """No problem is an error."""
        return all(problem.level != "error" for problem in self.problems)


class TokenView(Model):
    """A row as the model sees it: pieces of text, each learned or only read."""

    file: str
    row: int
    side: str = Field(default="", description="chosen or rejected, liked or disliked, or neither.")
    pieces: tuple[tuple[Literal["read", "learned"], str], ...]


class PlannedCandidate(Model):
    """What training one base model will be."""

    base_model: str
    parameters: int
    counts: RowCounts
    tokens: int = Field(description="Tokens of the kept rows, once over.")
    trained_tokens: int = Field(description="Of these, the tokens that carry loss.")
    longest: int
    median: int
    steps: int
    step_tokens: int = Field(description="Tokens over all steps.")
    train: TrainSpec
    privacy: PrivacySpent | None = Field(
        default=None, description="What the whole training will have spent of it."
    )
    slow_paths: tuple[str, ...] = Field(
        default=(), description="What the engine cannot speed up in this model, and why."
    )
    problems: tuple[Problem, ...]
    preview: tuple[TokenView, ...]


class PlanReport(Model):
    """What a run of the spec would do, before it does it."""

    name: str
    data: RowCounts
    rows_train: int
    rows_eval: int
    candidates: tuple[PlannedCandidate, ...]
    values: dict[str, str] = Field(description="Dotted key -> the default that holds.")
    reasons: dict[str, str] = Field(description="Dotted key -> why that default.")
    problems: tuple[Problem, ...]
    evaluation: tuple[PlannedSet, ...] = ()
    max_new_tokens: int | None = Field(None, description="The longest answer when measured.")
    systems: tuple[str, ...] = Field((), description="The systems that answer each held-out row.")
    chat_template: dict[str, Any] = Field({}, description="The chat template's switches.")

    @property
    def passed(self) -> bool:
        """No row is an error, so that `up` would train."""
        found = (*self.problems, *(p for c in self.candidates for p in c.problems))
        return all(problem.level != "error" for problem in found)
