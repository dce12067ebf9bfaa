"""Everything that figures are made of: prices, advice, models and their training steps, and the day."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from finewright.catalog.open_models import open_models
from finewright.catalog.prices import api_named
from finewright.estimate.shape import ModelShape
from finewright.schema.adapter import LoraSpec
from finewright.schema.catalog import API, Deadline, PriceCatalog
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.models import Bits, OpenModelFacts
from finewright_advice.estimate.memory import MemoryLoad, memory
from finewright_advice.estimate.money import spread
from finewright_advice.estimate.sharded import sharded_memory
from finewright_advice.estimate.time import flops_per_token

_STEP_TOKENS = 2048
_GIB = 1024**3
_WHOLE: Bits = 16


@dataclass(frozen=True)
class LoraStep:
    """A LoRA step of a model on rows of up to so many tokens: what a GPU holds, and arithmetic a token."""

    shape: ModelShape
    tokens: int
    _held: dict[tuple[Bits, int], float] = field(default_factory=dict, repr=False, compare=False)

    def gib(self, bits: Bits, gpus: int = 1) -> float:
        """GiB that each of so many GPUs holds with weights of 16 or of 4 bits, figured once: alone all of it,
        else its part of the weights and a row of its own."""
        if (bits, gpus) not in self._held:
            load = self._load(bits)
            use = memory(self.shape, load) if gpus == 1 else sharded_memory(self.shape, load, gpus)
            self._held[bits, gpus] = use.tensors / _GIB
        return self._held[bits, gpus]

    @property
    def is_long(self) -> bool:
        """Whether rows are longer than is usual."""
        return self.tokens > _STEP_TOKENS

    @cached_property
    def flops_a_token(self) -> float:
        """By the closed formulas, half of the tokens learned."""
        return flops_per_token(self.shape, self._load(16), 0.5)

    def _load(self, bits: Bits) -> MemoryLoad:
        return MemoryLoad(
            adapter=LoraSpec(quantization="none" if bits == _WHOLE else "nf4"),
            tokens=self.tokens,
            learned=self.tokens // 2,
            longest=self.tokens,
            lean=True,
            gpu=True,
        )


@dataclass(frozen=True)
class Facts:
    """Everything the figures are made of, and the day they are looked at."""

    prices: PriceCatalog
    advice: Advice
    models: Mapping[str, OpenModelFacts]
    today: date
    _apis: dict[str, API] = field(default_factory=dict, repr=False)
    _steps: dict[tuple[str, int], LoraStep] = field(default_factory=dict, repr=False)

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
        return spread(row.usd_per_gib_month for row in self.prices.storage)

    def api(self, name: str) -> API:
        """An API's row by its name; looked up once."""
        if name not in self._apis:
            self._apis[name] = api_named(self.prices, name)
        return self._apis[name]

    @cached_property
    def _by_last_part(self) -> Mapping[str, OpenModelFacts]:
        names = [(name, name) for name in self.models]
        names += [
            (alias, name)
            for name, row in open_models().items()
            if name in self.models
            for alias in row.aliases
        ]
        return {_last_part(alias): self.models[name] for alias, name in names}

    def open_model_of(self, api: API) -> OpenModelFacts | None:
        """The open model of the catalog that an API serves under its name, in any case and on any path."""
        return self._by_last_part.get(_last_part(api.model))

    def deadlines_of(self, api: API, days: int) -> list[Deadline]:
        """What ends within so many days of the model, or of its provider's fine-tuning."""
        return [
            deadline
            for deadline in self.prices.deadlines
            if deadline.provider == api.provider
            and ("fine-tuning" in deadline.what or api.model in deadline.models)
            and (deadline.date - self.today).days <= days
        ]

    def step_of(self, name: str, row_tokens: float) -> LoraStep:
        """A training step of a model, one row of up to so many tokens at a time; figured once."""
        steps = max(1, math.ceil(row_tokens / _STEP_TOKENS))
        return self._steps.setdefault(
            (name, steps), LoraStep(self.models[name].shape, steps * _STEP_TOKENS)
        )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].casefold()
