"""The `tune` section of the spec: which settings of `train` are searched, where, and for how long."""

from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.schema.common import Model, default
from finewright_advice.tune.results import Choice

Number = int | float


class SearchRange(Model):
    """A range of numbers, both ends included; of whole numbers where both ends are such."""

    low: Number
    high: Number
    log: bool = default(False, "Search by the logarithm", "equal steps are equally likely")
    step: Number | None = default(None, "Only every so many from low on", "any number", gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, and {self.low:g} is not below {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low above 0, and it is {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError("log and step do not go together; keep one")
        if self.is_whole and isinstance(self.step, float):
            raise ValueError(f"between whole numbers the step is one too, and {self.step:g} is not")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether these are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class TuneSpec(Model):
    """What is searched: dotted keys of `train`, each with a range or a list of choices."""

    parameters: dict[str, SearchRange | tuple[Choice, ...]] = Field(
        min_length=1,
        description="Key below `train` -> {low, high, log, step}, or a list of choices.",
    )
    metric: str = default(
        "", "The metric that decides, one of evaluate.metrics", "the first of evaluate.metrics"
    )
    trials: int = default(
        10,
        "Runs, the first with the settings as they are written",
        "a first impression",
        ge=2,
        le=1000,
    )
    pruner: Literal["median", "halving", "none"] = default(
        "median",
        "Which runs are stopped early, by the held-out loss on the way: those worse than the median of "
        "the others, all but the better half at each doubling (asynchronous successive halving), or none",
        "bad settings show early",
    )
    development_rows: int | None = default(
        None,
        "Judge a trial on so many of the rows that data.eval_fraction holds out, sampled by evaluate.seed",
        "all of them",
        gt=0,
    )
    seed: int = default(0, "Seed of the search", "any fixed number")
