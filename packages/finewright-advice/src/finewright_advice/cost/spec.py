"""The `cost` section of the spec."""

from typing import Annotated, Literal

from pydantic import Field

from finewright.schema.amounts import COUNT, as_written
from finewright.schema.common import Model, default

FrameworkName = Literal["finewright", "transformers", "trl", "axolotl", "unsloth"]

_Dollars = Annotated[float, Field(ge=0, le=1e12)]
_Budget = Annotated[_Dollars, as_written(COUNT, _Dollars)]


class CostSpec(Model):
    """Which machines come into question, and how many runs a project takes."""

    providers: tuple[str, ...] = default((), "Providers to look at", "all of the catalog")
    gpus: tuple[str, ...] = default((), "GPUs to look at", "all of the catalog")
    tiers: tuple[str, ...] = default(
        (), "Kinds of offers, such as on_demand or community", "all of the catalog"
    )
    framework: FrameworkName = default(
        "finewright",
        "Who trains: finewright, or the same run as another framework takes it by its defaults",
        "finewright trains it",
    )
    budget_usd: _Budget | None = default(
        None, "What the whole project may cost", "nothing is refused for its price"
    )
    seeds: int = default(1, "Runs of each candidate", "one answers whether it works", ge=1, le=1000)
    failed_share: float = default(
        0.2,
        "Share of a run that is lost for each that counts",
        "something always fails",
        ge=0,
        lt=1,
    )
    evaluations: float = default(
        0.1,
        "Machine time of all evaluations, in runs",
        "answers are measured before and after",
        ge=0,
        le=1000,
    )
    horizon_days: int = default(
        180,
        "How far ahead ends of services and models are looked for",
        "half a year",
        ge=0,
        le=36_500,
    )
