"""The `evaluate` section of the spec, and the report of the evaluate stage."""

from pathlib import PurePath
from typing import Literal

from pydantic import Field, field_validator

from finewright.schema.common import Artifact, Model, Problem, default


class EvalSetSpec(Model):
    """One file of held-out rows; the last assistant turn (or the completion) is the expected answer."""

    path: str = Field(description="A JSONL file, relative to the spec file.", min_length=1)
    name: str = default("", "Name in the score card", "the file's stem")
    limit: int | None = default(None, "Score only the first rows", "all rows", gt=0)

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, name: str) -> str:
        if name.startswith(".") or set(name) & set("/\\\0"):
            raise ValueError("must be usable as a file name: no slash, and no dot in front")
        return name


class EvaluateSpec(Model):
    """What to measure, on which rows, against what."""

    data: tuple[EvalSetSpec, ...] = default(
        (), "Held-out files", "without one, the rows that data.eval_fraction held out"
    )
    metrics: tuple[str, ...] = default(
        ("exact_match", "token_f1"), "Scorers by name", "they suit any short answer", min_length=1
    )
    compare_with: tuple[Literal["base"], ...] = default(
        ("base",), "What the tuned model is measured against", "a gain needs a before"
    )
    max_new_tokens: int = default(256, "Longest answer in tokens", "most answers are short", gt=0)
    batch_size: int = default(32, "Answers generated together", "fills the cores", gt=0)
    confidence: float = default(0.95, "Level of the intervals", "the usual", gt=0.5, lt=1.0)
    resamples: int = default(
        2000, "Bootstrap resamples", "steady to about 0.2 points", ge=100, le=100_000
    )
    seed: int = default(0, "Seed of the bootstrap", "any fixed number")

    @field_validator("data")
    @classmethod
    def _told_apart(cls, data: tuple[EvalSetSpec, ...]) -> tuple[EvalSetSpec, ...]:
        names = [_name_of(item) for item in data]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two files are called {name!r}; give each a `name` of its own")
        return data

    def names(self) -> tuple[str, ...]:
        """The names of the row sets, in order."""
        return tuple(map(_name_of, self.data))


def _name_of(item: EvalSetSpec) -> str:
    return item.name or PurePath(item.path).stem


class Score(Model):
    """One metric of one system on one set of rows, with its interval; values are shares of 1
    except perplexity."""

    system: str
    data: str
    metric: str
    value: float
    low: float
    high: float
    n: int


class Difference(Model):
    """A paired comparison on the same rows: `system` minus `against`."""

    system: str
    against: str
    data: str
    metric: str
    value: float
    low: float
    high: float
    p_value: float
    n: int


class Sample(Model):
    """One row answered by one system."""

    system: str
    data: str
    row: int
    prompt: str
    expected: str
    answer: str
    stopped: bool
    scores: dict[str, float]


class EvaluateReport(Model):
    """Scores, paired differences, and where the answers are; intervals are at level `confidence`."""

    confidence: float
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...] = ()
    samples: Artifact | None = None
    problems: tuple[Problem, ...] = ()
