"""What a run will need: memory, time and money."""

from datetime import date
from typing import Literal

from pydantic import Field

from finewright.schema.common import Model, Problem


class Range(Model):
    """A figure that is not known exactly: what to expect, and how low and high it may be."""

    low: float
    median: float
    high: float


Tier = Literal["formula", "trace", "micro-steps", "past runs", "calibration"]
"""Where a figure comes from, from the cheapest to the surest of its kind."""


TokensTier = Literal["counted", "sampled", "from characters"]
"""Whether a tokenizer counted all rows, or some of them, or none."""


class MemoryTerm(Model):
    """One thing that holds memory at the peak."""

    name: str
    gib: float


class MemoryEstimate(Model):
    """The most that a step holds: of its tensors, and of the process on the machine that runs it."""

    tier: Tier
    on: Literal["cpu", "gpu"]
    number_bytes: int = Field(2, description="Bytes of a number: 2 in bfloat16, 4 in float32.")
    tensors_gib: Range
    process_gib: Range
    terms: tuple[MemoryTerm, ...] = ()


class TrainingWork(Model):
    """What is to be computed: tokens of all steps, and arithmetic with the model's own formula."""

    tokens: Range
    tokens_tier: TokensTier
    steps: int
    parts: float
    """Micro-batches of all steps."""
    flops_per_token: float


class Mend(Model):
    """The settings that would fit, cheapest in speed first, as `--set` takes them."""

    settings: tuple[str, ...]
    process_gib: Range


class MachineEstimate(Model):
    """One machine: does it fit, for how long, for how much. Hours and dollars are of one run."""

    machine: str
    provider: str
    gpu: str
    tier: str
    memory_gib: float
    gpus_used: int = Field(
        1,
        description="Over how many of its GPUs the run is spread; above 1 by `launch`, or else by others.",
    )
    launch: tuple[str, ...] = Field(
        (), description="The settings by which finewright uses these GPUs, as `--set` takes them."
    )
    needs: MemoryEstimate
    fits: Literal["yes", "tight", "no"]
    hours: Range | None = None
    hours_tier: Tier = "formula"
    usd: Range | None = None
    project_usd: Range | None = None
    usd_per_hour: float = 0.0
    """Of the whole machine; 0 for one's own."""
    observed_at: date | None = None
    mend: Mend | None = None
    unusable: str = ""
    """Why nothing here trains on it, whatever its memory."""
    notes: tuple[str, ...] = ()


class HostedEstimate(Model):
    """The same run at a host that asks by the million tokens; `usd` None: its price was not found."""

    provider: str
    model: str
    usd: Range | None
    served_by: str
    hosting_usd_per_hour: Range | None
    note: str
    observed_at: date


class SharedWork(Model):
    """How many times as fast as one GPU of a kind several of them are, in processes of one machine."""

    gpu: str
    speeds: dict[int, float]
    pays: int
    """The largest number up to which each GPU that is added brings half of the first one's speed."""


class CandidateCost(Model):
    """What one base model takes, and on which machines."""

    base_model: str
    parameters: int
    active_parameters: int
    trainable_parameters: int
    memory: tuple[MemoryEstimate, ...]
    work: TrainingWork
    machines: tuple[MachineEstimate, ...]
    several: tuple[str, ...] = Field(
        (), description="Where no one machine holds it: how many GPUs would, by memory alone."
    )
    shared: tuple[SharedWork, ...] = ()
    truths: tuple[str, ...] = ()
    hosted: tuple[HostedEstimate, ...] = ()


class CostReport(Model):
    """What a run will need. `prices` names the data that the dollars stand on, by digest and age."""

    name: str
    candidates: tuple[CandidateCost, ...]
    prices: str
    framework: str = Field(
        "", description="Another framework that would train it, and how; empty for finewright."
    )
    residuals: tuple[str, ...] = ()
    deadlines: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = Field(())

    @property
    def passed(self) -> bool:
        """Is nothing impossible?"""
        return all(problem.level != "error" for problem in self.problems)
