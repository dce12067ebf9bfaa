"""What the arithmetic of money takes and gives: hardware of one's own, a project, a break-even.

The words that a decision is made in: what is weighed, by whom, and between which methods."""

from typing import Annotated, Literal

from pydantic import Field

from finewright.schema.common import Model, default
from finewright.schema.cost import Range

Criterion = Literal[
    "quality",
    "once_usd",
    "month_usd",
    "latency",
    "update_delay",
    "data_effort",
    "privacy",
    "customisation",
    "independence",
    "reversibility",
]


Profile = Literal["startup", "support-bot", "regulated", "edge"]


Method = Literal["prompt", "prompt+long-context", "rag", "ft", "rag+ft", "classifier", "rule"]
"""`classifier`: an embedding and a linear head; `rule`: a pattern, a table or a list of words."""


Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OwnHardware(Model):
    """A machine that is bought: its price is paid off over months, its power as it runs."""

    usd_purchase: Annotated[
        Amount, Field(description="What the machine costs, with all that is in it.")
    ]
    watts: Annotated[Amount, Field(description="What the whole machine draws at work.")]
    usd_per_kwh: Annotated[Amount, Field(description="The price of electricity, by your bill.")]
    amortisation_months: int = default(
        36, "Months over which the price is paid off", "three years, a usual term for servers", gt=0
    )
    idle_watts: Amount = default(
        0.0, "What it draws while it waits; the cost of a request leaves it out", "switched off"
    )
    pue: float = default(1.0, "What the site draws over it", "no cooling of its own", ge=1)


class Project(Model):
    """What a project costs, not one run of it: the runs by their reasons, and their sum in money."""

    runs: float
    """Runs that count: every candidate with every seed."""
    failed_runs: float
    evaluation_runs: float
    """Evaluations, in runs' worth of machine time."""
    cost: Range


class BreakEven(Model):
    """The requests a month from which serving oneself is cheaper; None: never, at any volume.

    `low` is where it can be so at the earliest (the dearest API, the cheapest hosting)."""

    low: float | None
    median: float | None
    high: float | None
