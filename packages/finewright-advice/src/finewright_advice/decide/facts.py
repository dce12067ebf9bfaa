"""Everything that figures are made of: prices, advice, models and their training steps, and the day.

Which duties of European law hold for a case, from the rows of `catalog/laws.yaml`. No legal advice.

What a gate looks at, and what it says.

What may be rented in a case: machines for a month or to train on, and workers paid by the second."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from typing import Literal, NamedTuple, TypeAlias

from finewright.catalog.models import open_models
from finewright.catalog.prices import api_named
from finewright.estimate.shape import ModelShape
from finewright.schema.adapter import LoraSpec
from finewright.schema.catalog import API, Deadline, PriceCatalog
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.catalog.laws import Duty, Laws
from finewright_advice.decide.arms import ARMS, Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.decide.models import Bits, OpenModelFacts
from finewright_advice.decide.request import Lease, Trust, list_rented
from finewright_advice.decide.scale_to_zero import workers
from finewright_advice.decide.serving import Host
from finewright_advice.decide.spec import UNKNOWN
from finewright_advice.estimate.memory import MemoryLoad, memory
from finewright_advice.estimate.money import spread
from finewright_advice.estimate.sharded import memory_of_shard
from finewright_advice.estimate.time import flops_per_token
from finewright_advice.schema.money import Method


class Market(NamedTuple):
    """Machines for rent by what they are for."""

    serving: list[Host]
    training: list[Host]
    workers: list[Host]
    """That scale to zero; none where data are regulated, for many users share them."""


MarketOf: TypeAlias = Callable[[int, Trust], Market]
"""Months of use, and whose machines may be taken -> what may be rented."""


Effect: TypeAlias = Literal["dropped", "duty", "warning", "advice"]


PAIRS_NEEDED = 50


PAIRS_COMFORTABLE = 300


class Ground(NamedTuple):
    """What a gate looks at."""

    case: Case
    figures: Mapping[Arm, Figures]
    advice: Advice
    today: date
    measured: Mapping[Method, float] = {}
    """The share of cases that a method got right, where it was measured."""


class GateVerdict(NamedTuple):
    """What a rule found, before it gets its name and its sources."""

    effect: Effect
    arms: Sequence[Arm]
    reason: str
    sources: tuple[str, ...] = ()
    """Its own; empty for those of the rule."""
    cannot: bool = False
    """Whether such an arm cannot be at all."""


class Excess(NamedTuple):
    """A figure over its limit: how many times the limit it is, and in words."""

    times: float
    reason: str


Gate = Callable[[Ground], Iterator[GateVerdict]]


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
            use = memory(self.shape, load) if gpus == 1 else memory_of_shard(self.shape, load, gpus)
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


def duties(case: Case, laws: Laws) -> Iterator[tuple[str, Duty]]:
    """The duties that hold, by their names; a fact that nobody stated brings none that hangs on it."""
    facts = _facts(case, laws)
    for name, duty in laws.duties.items():
        if all(facts[key] in values for key, values in duty.when.items()):
            yield name, duty


def in_words(duty: Duty, laws: Laws, today: date) -> str:
    """The article, what it says, from when on, and the fine of its own tier."""
    when = f"since {duty.since}" if duty.since <= today else f"from {duty.since} on"
    fine = ""
    if duty.fine:
        tier = laws.fines[duty.fine]
        fine = f"; fines up to {tier.text} of turnover ({tier.article}), of small firms the lower"
        if not tier.article.startswith("Article 99"):
            fine = f"; fines up to {tier.text} of turnover ({tier.article})"
    return f"{duty.article}, {when}: {duty.says}{fine}"


def unknown(case: Case, laws: Laws) -> Iterator[str]:
    """What should be stated for the law to be told."""
    if case.domain == UNKNOWN:
        counts = Counter(each.kind for each in laws.domains.values())
        products = counts["annex-i"] + counts["annex-i-b"]
        yield (
            f"the field of use is unknown (domain): in {counts['annex-iii']} fields of Annex III and"
            f" {products} of Annex I more is asked, {counts['prohibited']} uses are forbidden, and"
            " financial entities (finance) are under DORA"
        )
    if case.personal_data == UNKNOWN:
        yield (
            "whether it is about persons is unknown (personal_data): the GDPR asks for a legal basis, and for"
            " more where health, origin, belief and the like are in it"
        )


def _facts(case: Case, laws: Laws) -> Mapping[str, object]:
    domain = laws.domains.get(case.domain)
    return {
        "kind": domain.kind if domain else UNKNOWN,
        "domain": case.domain,
        "task": case.task,
        "output": case.output,
        "data_class": case.data_class,
        "personal_data": case.personal_data,
        "talks_to_people": case.talks_to_people,
    }


def arms_of(method: str) -> list[Arm]:
    """The arms of a method."""
    return [arm for arm in ARMS if arm.method == method]


def trust_of(case: Case) -> Trust:
    """Whose machines may see the data: by their class, and by what the law calls special categories."""
    if case.data_class == "regulated":
        return "alone"
    is_secret = case.data_class == "confidential" or case.personal_data == "special"
    return "companies" if is_secret else "any"


def market_with(prices: PriceCatalog) -> MarketOf:
    """The markets of these prices, each found once."""

    @cache
    def market(months: int, trust: Trust) -> Market:
        return Market(
            serving=list_rented(prices, Lease(months, trust)),
            training=list_rented(prices, Lease(0, trust, is_for_training=True)),
            workers=[] if trust == "alone" else workers(prices),
        )

    return market
