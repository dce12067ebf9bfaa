"""Everything that figures are made of: prices, advice, models and their training steps, and the day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from statistics import median
from typing import Literal, NamedTuple

from finewright.catalog.advice import Advice
from finewright.catalog.prices import api_named
from finewright.estimate.memory import MemoryLoad, memory
from finewright.estimate.shape import ModelShape
from finewright.estimate.time import flops_per_token
from finewright.features.decide.models import OpenModelFacts
from finewright.schema.adapter import LoraSpec
from finewright.schema.catalog import API, Deadline, PriceCatalog
from finewright.schema.cost import Range

_STEP_TOKENS = 2048
_GIB = 1024**3


class LoraStep(NamedTuple):
    """A LoRA step of a model: GiB with weights of 16 and of 4 bits, and arithmetic a token."""

    with_16_bits: float
    with_4_bits: float
    flops_a_token: float


@dataclass(frozen=True)
class Facts:
    """Everything the figures are made of, and the day they are looked at."""

    prices: PriceCatalog
    advice: Advice
    models: Mapping[str, OpenModelFacts]
    today: date
    _apis: dict[str, API] = field(default_factory=dict, repr=False)
    _steps: dict[str, LoraStep] = field(default_factory=dict, repr=False)

    @cached_property
    def taken(self) -> Mapping[str, Range]:
        """The assumptions as ranges and no more, so that a report that is read again is the same."""
        return {
            name: Range(low=each.low, median=each.median, high=each.high)
            for name, each in self.advice.assumptions.items()
        }

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Providers that run the models of others."""
        return frozenset(row.name for row in self.prices.providers if row.is_host)

    @cached_property
    def disk_usd(self) -> Range:
        """A GiB of disk for a month, over all who sell it."""
        prices = [row.usd_per_gib_month for row in self.prices.storage]
        return Range(
            low=min((each.low for each in prices), default=0.0),
            median=median(each.median for each in prices) if prices else 0.0,
            high=max((each.high for each in prices), default=0.0),
        )

    def api(self, name: str) -> API:
        """An API's row by its name; looked up once."""
        if name not in self._apis:
            self._apis[name] = api_named(self.prices, name)
        return self._apis[name]

    def deadlines_of(self, api: API, days: int) -> list[Deadline]:
        """What ends within so many days of the model, or of its provider's fine-tuning."""
        return [
            deadline
            for deadline in self.prices.deadlines
            if deadline.provider == api.provider
            and ("fine-tuning" in deadline.what or api.model in deadline.models)
            and (deadline.date - self.today).days <= days
        ]

    def step_of(self, name: str) -> LoraStep:
        """What a training step of a model takes; figured once."""
        if name not in self._steps:
            self._steps[name] = _step(self.models[name].shape)
        return self._steps[name]


def _step(shape: ModelShape) -> LoraStep:
    """By the closed formulas: one long row at a time, layers computed again in the backward pass, half of the
    tokens learned."""

    def load(quantization: Literal["none", "nf4"]) -> MemoryLoad:
        return MemoryLoad(
            adapter=LoraSpec(quantization=quantization),
            tokens=_STEP_TOKENS,
            learned=_STEP_TOKENS // 2,
            longest=_STEP_TOKENS,
            lean=True,
            gpu=True,
        )

    plain, packed = load("none"), load("nf4")
    return LoraStep(
        with_16_bits=memory(shape, plain).tensors / _GIB,
        with_4_bits=memory(shape, packed).tensors / _GIB,
        flops_a_token=flops_per_token(shape, plain, 0.5),
    )
