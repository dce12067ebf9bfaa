"""The figures of the ten arms in a case, out of prices, model shapes and assumptions.

This is the one place where the decision meets the estimators: what is read from the catalog and from
`finewright.estimate` is turned into ranges here, and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal, NamedTuple

from finewright.catalog.advice import Advice
from finewright.catalog.prices import api_named
from finewright.estimate.freshness import deadline_of
from finewright.estimate.memory import MemoryLoad, memory
from finewright.estimate.money import HOURS_A_MONTH, MachineSteps, api_request, product, total
from finewright.estimate.shape import ModelShape
from finewright.estimate.time import flops_per_token
from finewright.features.decide import serving
from finewright.features.decide.arms import ARMS, NOTHING, Arm, Figures, FiguresOf, Machines
from finewright.features.decide.case import Case
from finewright.features.decide.models import OpenModelFacts
from finewright.features.decide.results import AdviceSource
from finewright.features.decide.serving import Demand, Host, Need, Seat
from finewright.schema.adapter import LoraSpec
from finewright.schema.catalog import Deadline, Fact, PriceCatalog
from finewright.schema.cost import Range

_DAYS_A_MONTH = 365 / 12
_MINUTES_A_MONTH = _DAYS_A_MONTH * 24 * 60
_HOURS_A_DAY = 24
_MINUTES_AN_HOUR = 60
_STEP_TOKENS = 2048
_GIB = 1024**3
_CONTEXT_WITHOUT_ROW = 128_000


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

    @cached_property
    def taken(self) -> Mapping[str, Range]:
        """The assumptions as ranges and no more, so that a report that is read again is the same."""
        return {
            name: Range(low=each.low, median=each.median, high=each.high)
            for name, each in self.advice.assumptions.items()
        }

    @cached_property
    def steps(self) -> Mapping[str, LoraStep]:
        """What a training step of each model takes."""
        return {name: _step(model.shape) for name, model in self.models.items()}


def figures_with(facts: Facts) -> FiguresOf:
    """How the ten arms are figured with these facts."""
    hosts = serving.rented(facts.prices)

    def figures_of(case: Case) -> Mapping[Arm, Figures]:
        return _Figuring(facts, hosts, case).all()

    return figures_of


class TrainingCost(NamedTuple):
    """A training run: what it costs, how long it takes, and on which machine."""

    usd: Range
    hours: Range
    where: str


class _Figuring:
    """One case under one set of facts."""

    def __init__(self, facts: Facts, hosts: list[Host], case: Case) -> None:
        self.facts, self.case = facts, case
        self.taken = facts.taken
        self.model = facts.models[case.base_model]
        self.own = serving.owned(case.hardware or (), facts.prices, self.taken["usd_per_kwh"])
        # On-premise with a machine that nobody named: what a like one would cost stands in for it.
        self.must_own = case.on_premise_only and case.hardware is not None
        self.rented = hosts
        self.hosts = self.own if self.must_own else [*self.own, *hosts]
        self.api = api_named(facts.prices, case.api_model)
        self.step = facts.steps[case.base_model]
        self.training = {arm.method: self._training(arm) for arm in ARMS if arm.is_tuned}

    def all(self) -> dict[Arm, Figures]:
        """The figures of every arm."""
        return {arm: self._api(arm) if arm.host == "api" else self._own(arm) for arm in ARMS}

    def _api(self, arm: Arm) -> Figures:
        case, api = self.case, self.api
        request = self._api_request(arm)
        days = round(case.horizon_months * _DAYS_A_MONTH)
        deadlines = self.facts.prices.deadlines
        how = [f"{api.model} at {api.provider}"]
        if arm.is_tuned:
            how.append("what the provider asks for training is in no catalog, and not counted")
        if arm.method == "prompt+long-context":
            share = self._cached_share(self.taken["cache_minutes"].median)
            how.append(f"{share:.0%} of the prompts found in the provider's cache")
        return Figures(
            once_usd=NOTHING,
            month_usd=product(request, case.requests_per_month),
            latency_ms=self._api_latency(arm),
            update_days=self._update_days(arm),
            effort_hours=self._effort(arm),
            fixed_month_usd=NOTHING,
            request_usd=request,
            place="api",
            model=api.model,
            context_tokens=api.context_tokens or _CONTEXT_WITHOUT_ROW,
            request_tokens=self._request_tokens(arm),
            ends=deadline_of(api, deadlines, self.facts.today, days),
            tuning_ends=min(
                (d.date for d in self._deadlines(days) if d.kind == "service"), default=None
            ),
            can_fine_tune=api.can_fine_tune,
            how=tuple(how),
            facts=tuple(self._sources(api, *self._deadlines(days))),
        )

    def _own(self, arm: Arm) -> Figures:
        need, demand = self._need(arm), self._demand()
        seat = serving.seated(self.model, need, self.hosts, demand)
        misfit = "" if seat else self._misfit(need)
        # A dropped arm is still told what it would take, where anybody rents that out.
        seat = seat or serving.seated(self.model, need, self.rented, demand)
        trained = self.training.get(arm.method)
        run = trained.usd if trained else NOTHING
        month = serving.month_usd(seat) if seat else NOTHING
        is_own = bool(seat and seat.served.host.is_own)
        how = [self._words(seat)] if seat else []
        return Figures(
            once_usd=product(run, self.taken["project_runs"]),
            month_usd=month,
            latency_ms=self._own_latency(arm, need, seat),
            update_days=self._update_days(arm),
            effort_hours=total(self._effort(arm), self.taken["serving_hours"]),
            fixed_month_usd=month,
            request_usd=NOTHING,
            machines=_machines(seat) if seat else None,
            place="own" if is_own or self.case.on_premise_only else "rented",
            model=self.model.name,
            context_tokens=self.model.context,
            request_tokens=self._request_tokens(arm),
            run_usd=run,
            misfit=misfit,
            how=(*how, *([f"a training run on {trained.where}"] if trained else [])),
            facts=(self.model.source, *self._sources(*(seat.served.host.facts if seat else ()))),
        )

    def _own_latency(self, arm: Arm, need: Need, seat: Seat | None) -> Range:
        if seat is None:
            return NOTHING
        demand = self._demand()
        answer = serving.answer_ms(self.model, seat, need, demand)
        is_searched = arm.method in ("rag", "rag+ft")
        return total(answer, self.taken["retrieval_ms"]) if is_searched else answer

    def _words(self, seat: Seat) -> str:
        served = seat.served
        machines = f"{seat.num} x ({served.host.name})" if seat.num > 1 else served.host.name
        standing = "yours, its power alone" if served.host.is_own else "rented all month"
        if not served.host.is_own and self.case.on_premise_only:
            standing = "as if it were rented all month"
        held = f"{served.bits}-bit, {served.memory_gib:.1f} GiB"
        return f"{self.model.name}, {held} on {machines}, {standing}{_slow_end(seat)}"

    def _demand(self) -> Demand:
        taken = self.taken
        return Demand(
            requests_per_month=self.case.requests_per_month,
            peak_over_mean=taken["peak_over_mean"].median,
            most_at_once=taken["requests_at_once"].median,
            prefill=taken["prefill_utilisation"],
            decode=taken["decode_efficiency"],
        )

    def _need(self, arm: Arm) -> Need:
        case = self.case
        cached = case.corpus_tokens if arm.method == "prompt+long-context" else 0.0
        taken = self.taken["requests_at_once"]
        return Need(self._prompt(arm), cached, case.tokens_out, round(taken.low))

    def _prompt(self, arm: Arm) -> float:
        """Tokens of a prompt that differ from request to request."""
        added = self.case.at("retrieved", self.taken["retrieved_tokens"])
        return self.case.tokens_in + (added if arm.method in ("rag", "rag+ft") else 0.0)

    def _request_tokens(self, arm: Arm) -> float:
        """Tokens that the context must hold at once."""
        documents = self.case.corpus_tokens if arm.method == "prompt+long-context" else 0.0
        return documents + self._prompt(arm) + self.case.tokens_out

    def _api_request(self, arm: Arm) -> Range:
        case, api = self.case, self.api
        if arm.method != "prompt+long-context":
            return api_request(api, self._prompt(arm), case.tokens_out)
        minutes = self.taken["cache_minutes"]
        whole = case.corpus_tokens + case.tokens_in

        def at(point: float) -> Range:
            cached = case.corpus_tokens * self._cached_share(point)
            return api_request(api, whole, case.tokens_out, cached)

        return Range(
            low=at(minutes.high).low, median=at(minutes.median).median, high=at(minutes.low).high
        )

    def _cached_share(self, minutes: float) -> float:
        """The chance that another request came within the cache's time: 1 - exp(-rate x minutes)."""
        return 1 - math.exp(-self.case.requests_per_month / _MINUTES_A_MONTH * minutes)

    def _api_latency(self, arm: Arm) -> Range:
        first, speed = self.taken["api_first_token_ms"], self.taken["api_tokens_per_second"]
        out = 1000 * self.case.tokens_out
        answer = Range(
            low=first.low + out / speed.high,
            median=first.median + out / speed.median,
            high=first.high + out / speed.low,
        )
        is_searched = arm.method in ("rag", "rag+ft")
        return total(answer, self.taken["retrieval_ms"]) if is_searched else answer

    def _update_days(self, arm: Arm) -> Range:
        """Days until a changed fact is answered from: by training again only where weights hold the facts."""
        taken = self.taken
        if arm.method == "ft":
            hours = self.training[arm.method].hours if arm.host == "self-hosted" else NOTHING
            return total(taken["retrain_days"], product(hours, 1 / _HOURS_A_DAY))
        return taken["reindex_days" if arm.has_passages else "prompt_days"]

    def _effort(self, arm: Arm) -> Range:
        taken = self.taken
        parts: list[Range] = [taken["prompt_hours"]]
        if arm.method == "prompt+long-context":
            parts.append(taken["long_context_hours"])
        if arm.method in ("rag", "rag+ft"):
            parts.append(taken["rag_hours"])
        if arm.is_tuned:
            parts += [taken["ft_hours"], self._labelling()]
        return total(*parts)

    def _labelling(self) -> Range:
        """Hours to label what is missing to a comfortable number of pairs."""
        wanted, have = self.taken["pairs_wanted"], self.case.labelled_pairs
        missing = Range(
            low=max(0.0, wanted.low - have),
            median=max(0.0, wanted.median - have),
            high=max(0.0, wanted.high - have),
        )
        minutes = self.facts.advice.labelling_minutes[self.case.task]
        return product(missing, product(minutes, 1 / _MINUTES_AN_HOUR))

    def _training(self, arm: Arm) -> TrainingCost:
        """A LoRA run on the cheapest machine that holds its step in 16 bits, or else in 4."""
        case, taken = self.case, self.taken
        pairs = max(case.labelled_pairs, taken["pairs_wanted"].median)
        tokens = product(taken["epochs"], pairs * (self._prompt(arm) + case.tokens_out))
        host = self._training_host(self.hosts) or self._training_host(self.rented)
        if host is None:
            return TrainingCost(NOTHING, NOTHING, "no machine of the catalog, for none holds it")
        flops = product(tokens, self.step.flops_a_token)
        hours = _over(flops, taken["training_utilisation"], host.tflops)
        return TrainingCost(product(host.usd_per_hour, hours), hours, host.name)

    def _training_host(self, hosts: Sequence[Host]) -> Host | None:
        for gib in (self.step.with_16_bits, self.step.with_4_bits):
            fits = [host for host in hosts if gib <= host.memory_gib * serving.USABLE]
            if fits:
                return min(fits, key=lambda host: host.usd_per_hour.median)
        return None

    def _misfit(self, need: Need) -> str:
        least = serving.memory_gib(self.model.sizes, 4, need)
        other = serving.fits(self.model, need, self.rented)
        where = (
            f"; a {other.host.name} holds it" if other else "; no machine of the catalog holds it"
        )
        takes = f"{self.model.name} takes {least:.1f} GiB with 4-bit weights"
        if self.must_own and not self.own:
            return f"on-premise, and you have no machine: {takes}{where}"
        yours = ", ".join(host.name for host in self.hosts) if self.must_own else "what is for rent"
        if serving.fits(self.model, need, self.hosts):
            return f"{yours} cannot carry the busiest hour of {self.case.requests_per_month:,.0f} requests"
        return f"{takes}, more than {yours} holds{where}"

    def _deadlines(self, days: int) -> list[Deadline]:
        """What ends within so many days of the model, or of its provider's fine-tuning."""
        return [
            deadline
            for deadline in self.facts.prices.deadlines
            if deadline.provider == self.api.provider
            and ("fine-tuning" in deadline.what or self.api.model in deadline.models)
            and (deadline.date - self.facts.today).days <= days
        ]

    def _sources(self, *rows: Fact) -> list[AdviceSource]:
        return [
            AdviceSource(name=_name(row), reference=row.source, observed_at=row.observed_at)
            for row in rows
        ]


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


def _machines(seat: Seat) -> Machines:
    host = seat.served.host
    steps = MachineSteps(product(host.usd_per_hour, HOURS_A_MONTH), seat.carries)
    return Machines(steps, host.count)


def _slow_end(seat: Seat) -> str:
    """What is said where machines that are slower than expected would have to be more."""
    if seat.most > seat.served.host.count:
        return (
            f"; {seat.most} are needed if they are slow, and there are {seat.served.host.count:.0f}"
        )
    return f"; {seat.fewest} to {seat.most} by how fast they are" if seat.fewest < seat.most else ""


def _over(flops: Range, utilisation: Range, tflops: float) -> Range:
    """Hours of so much arithmetic; the high end of the utilisation is the fast one."""
    seconds = tflops * 1e12 * 3600
    return Range(
        low=flops.low / (seconds * utilisation.high),
        median=flops.median / (seconds * utilisation.median),
        high=flops.high / (seconds * utilisation.low),
    )


def _name(row: Any) -> str:  # Any: each kind of fact has a key of its own
    return f"{type(row).__name__}: {', '.join(row.key())}"
