"""The figures of the arms in a case, out of prices, model shapes and assumptions.

This is the one place where the decision meets the estimators: what is read from the catalog and from
`finewright.estimate` is turned into ranges here, and nowhere else."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from finewright.estimate.freshness import deadline_of
from finewright.schema.catalog import API
from finewright.schema.cost import Range
from finewright_advice.decide import serving
from finewright_advice.decide.ability import ability_of, languages_of
from finewright_advice.decide.arms import ARMS, NOTHING, Arm, Figures, FiguresOf, Machines
from finewright_advice.decide.case import Case
from finewright_advice.decide.corpus import NO_INDEX, cost_of_index
from finewright_advice.decide.facts import Facts, Market, market_with, trust_of
from finewright_advice.decide.misfits import AtHand, explain_unserved, training_misfit
from finewright_advice.decide.models import FOUR, Bits, OpenModelFacts
from finewright_advice.decide.request import RequestShape
from finewright_advice.decide.scale_to_zero import IdleMachine, Seating, seat_on_serverless
from finewright_advice.decide.serving import Demand, Host, Need, Seat
from finewright_advice.decide.sources import ability_source, sources_of
from finewright_advice.decide.training import (
    UNTRAINED,
    HostedRun,
    TrainingCost,
    closing_words,
    describe_tuning_price,
    host_words,
    hosts_of,
    hours_of,
    run_at,
    training_host,
    tuning_ends,
)
from finewright_advice.decide.without_model import without_model
from finewright_advice.decide.work import WorkToDo
from finewright_advice.estimate.money import HOURS_A_MONTH, MachineSteps, exact, product, total

_DAYS_A_MONTH = 365 / 12
_READ_A_SECOND, _WRITTEN_A_SECOND = 5000.0, 30.0
"""Tokens of one request, roughly: how long it is held for."""
_CONTEXT_WITHOUT_ROW = 128_000
_TEACHER = Arm("prompt", "api")


Seats: TypeAlias = dict[tuple[object, ...], Seating]
_UNREAD = (
    "behaviour_gap",
    "knowledge_gap",
    "fact_half_life_days",
    "citations",
    "per_document_access",
    "erasure_duty",
    "once_budget_usd",
    "month_budget_usd",
    "effort_hours",
    "models",
    "points",
)
"""The inputs that no figure is made of, `models` and `points` but for what `figures_with` tells apart."""
_READ = attrgetter(*(name for name in Case.__slots__ if name not in _UNREAD))
_POINTS_READ = ("retrieved", "taught_pair_worth")
_CASES_KEPT = 256
"""Of a decision's 135 cases none is figured twice; what is asked of many specs in turn stays small."""


class _Standing(NamedTuple):
    """What serves a model of one's own: machines all month or, with `idle`, a worker that scales to zero."""

    seat: Seat | None
    month_usd: Range
    answer_ms: Range
    machines: Machines | None = None
    idle: IdleMachine | None = None


def figures_with(facts: Facts) -> FiguresOf:
    """How the arms are figured with these facts."""
    market = market_with(facts.prices)
    seats: Seats = {}
    figured: dict[tuple[object, ...], _Figuring] = {}

    def figures_of(case: Case) -> Mapping[Arm, Figures]:
        key = (*_READ(case), *map(case.points.get, _POINTS_READ))
        if key not in figured:
            if len(figured) == _CASES_KEPT:
                figured.clear()
            there = market(case.horizon_months, trust_of(case))
            figured[key] = _Figuring(facts, there, seats, case)
        return figured[key].all(case.models)

    return figures_of


class _Figuring:
    """One case under one set of facts, with each arm's figures by the models that they are made of."""

    def __init__(self, facts: Facts, market: Market, seats: Seats, case: Case) -> None:
        self.facts, self.case, self.market, self.seats = facts, case, market, seats
        self.models = case.models
        self.found: dict[tuple[Arm, str | None, str | None], Figures] = {}
        self.taken = facts.taken
        self.own = serving.list_owned(case.hardware or (), facts.prices, self.taken["usd_per_kwh"])
        # On-premise with a machine that nobody named: what a like one would cost stands in for it.
        self.must_own = case.on_premise_only and case.hardware is not None
        self.rented = market.serving
        self.hosts = self.own if self.must_own else [*self.own, *market.serving]
        self.index = cost_of_index(case.corpus_tokens, case.documents, self.taken, facts.disk_usd)
        self.request = RequestShape(case, self.taken, self.index.search_ms)
        minutes = facts.advice.labelling_minutes[case.task]
        self.work = WorkToDo(case, self.taken, minutes, self.index, self.request)

    def all(self, models: Mapping[str, str]) -> dict[Arm, Figures]:
        """The figures of every arm with these models."""
        self.models = models
        return {arm: self._with_model(arm) for arm in ARMS}

    def _with_model(self, arm: Arm) -> Figures:
        """Figured once for its model and the one that teaches it."""
        key = (arm, self.models.get(arm.name), self.models.get(_TEACHER.name))
        if key not in self.found:
            self.found[key] = self._of(arm)
        return self.found[key]

    def _of(self, arm: Arm) -> Figures:
        if not arm.is_language_model:
            found = without_model(arm, self.case, self.work, self.taken, self.hosts)
            return replace(found, once_usd=self._teaching(arm), notes=tuple(self._more_words(arm)))
        if arm.host != "api":
            return self._own(arm)
        at_once = self._api(arm)
        may_wait = self.request.may_wait and self._api_of(arm).batch_share
        return replace(at_once, others=(self._api(arm, in_batches=True),)) if may_wait else at_once

    def _api_of(self, arm: Arm) -> API:
        return self.facts.api(self.models.get(arm.name, self.case.api_model))

    def _model_of(self, arm: Arm) -> OpenModelFacts:
        return self.facts.models[self.models.get(arm.name, self.case.base_model)]

    def _api(self, arm: Arm, *, in_batches: bool = False) -> Figures:
        case, api = self.case, self._api_of(arm)
        days = round(case.horizon_months * _DAYS_A_MONTH)
        ends = self.facts.deadlines_of(api, days)
        able = ability_of(api.model, case.task)
        index = self.index if arm.is_searched else NO_INDEX
        month = index.month_usd
        open_model = self.facts.open_model_of(api)
        hosted = self._host(arm, api) if arm.is_tuned else None
        run = (hosted and hosted.usd) or NOTHING
        request = self.request.at_api(api, arm, in_batches=in_batches)
        request = product(request, hosted.row.served_share if hosted else 1.0)
        if hosted and hosted.row.storage_usd_per_month:
            month = total(month, exact(hosted.row.storage_usd_per_month))
        runs = product(run, self.taken["project_runs"])
        return Figures(
            once_usd=total(runs, index.once_usd, self._teaching(arm)),
            month_usd=total(product(request, case.requests_per_month), month),
            latency_ms=self.request.api_ms(arm, api, in_batches=in_batches),
            update_days=self.work.update_days(arm, NOTHING),
            effort_hours=self.work.effort(arm),
            fixed_month_usd=month,
            request_usd=request,
            place="api",
            model=api.model,
            context_tokens=self._context_of(api) or _CONTEXT_WITHOUT_ROW,
            request_tokens=self.request.tokens(arm),
            ability=able.level,
            ability_known=able.known,
            is_published=able.is_published,
            languages=languages_of(api.model),
            licence=open_model.licence if open_model else None,
            pairs=self.work.pairs(arm),
            run_usd=run,
            is_third_party=api.provider in self.facts.hosts,
            ends=deadline_of(api, self.facts.prices.deadlines, self.facts.today, days),
            tuning_ends=tuning_ends(ends, hosted, self.facts.today + timedelta(days)),
            tuning_closes=closing_words(ends, self.facts.today),
            can_fine_tune=api.can_fine_tune,
            how=tuple(self._api_words(api, arm, hosted, in_batches=in_batches)),
            notes=tuple(self._api_notes(api, arm, hosted, in_batches=in_batches)),
            facts=(
                *sources_of(api, *ends, *([hosted.row] if hosted else [])),
                *ability_source(api.model),
            ),
        )

    def _host(self, arm: Arm, api: API) -> HostedRun | None:
        open_model = self.facts.open_model_of(api)
        return run_at(self.facts, api, open_model, self.work.count_trained_tokens(arm))

    def _context_of(self, api: API) -> int | None:
        """What an API's model reads at once: as its row says, or as the open model that it is."""
        open_model = self.facts.open_model_of(api)
        return api.context_tokens or (open_model.context if open_model else None)

    def _api_words(
        self, api: API, arm: Arm, hosted: HostedRun | None, *, in_batches: bool
    ) -> Iterator[str]:
        yield f"{api.model} at {api.provider}"
        if not self._context_of(api):
            yield f"its context is not known, {_CONTEXT_WITHOUT_ROW:,} tokens are taken for it"
        if in_batches:
            yield f"in batches, within a day, at {api.batch_share:.0%} of the price"
        if arm.is_tuned:
            yield from describe_tuning_price(hosted)
        if arm.method == "prompt+long-context":
            share = self.request.chance_of_cache(self.taken["cache_minutes"].median)
            yield f"{share:.0%} of the prompts found in the provider's cache"

    def _api_notes(
        self, api: API, arm: Arm, hosted: HostedRun | None, *, in_batches: bool
    ) -> Iterator[str]:
        if api.batch_share and not in_batches:
            yield f"{api.batch_share:.0%} of it in batches, where answers may come within a day"
        if arm.is_tuned and (hosted is None or hosted.usd is None):
            yield f"training {api.model} costs what its provider says: enter it under `tunings`"
        yield from self._more_words(arm)

    def _own(self, arm: Arm) -> Figures:
        """With weights as they were made and, where machines at hand hold both, in 4 bits beside it."""
        sizes = self._model_of(arm).sizes
        trained = self._training(arm) if arm.is_tuned else UNTRAINED
        four = self._own_in(4, arm, trained)
        if sizes.is_made_in_four:
            return replace(four, is_rounded=False)
        whole = self._own_in(16, arm, trained)
        if whole.misfit and not four.misfit:
            return four
        return replace(whole, others=(four,)) if not four.misfit else four

    def _own_in(self, bits: Bits, arm: Arm, trained: TrainingCost) -> Figures:
        model = self._model_of(arm)
        seating = self._find_seating(model, self._need(arm), bits)
        seat, machines_usd, answer, machines, idle = self._standing(seating)
        index = self.index if arm.is_searched else NO_INDEX
        month = total(machines_usd, index.month_usd)
        training = f"a training run on {trained.where}" if trained.where else ""
        words = filter(None, (self._words(model, seat, idle), training))
        able = ability_of(model.name, self.case.task, model.sizes.parameters)
        runs = product(trained.usd, self.taken["project_runs"])
        is_own = self.case.on_premise_only or bool(seat and seat.served.host.is_own)
        return Figures(
            once_usd=total(runs, index.once_usd, self._teaching(arm)),
            month_usd=month,
            latency_ms=total(answer, index.search_ms) if seat else answer,
            update_days=self.work.update_days(arm, trained.hours),
            effort_hours=total(self.work.effort(arm), self.taken["serving_hours"]),
            fixed_month_usd=index.month_usd if idle else month,
            request_usd=_each(machines_usd, self.case) if idle else NOTHING,
            machines=machines,
            idle=idle.by_second if idle else None,
            place="own" if is_own else "rented",
            model=model.name,
            context_tokens=model.context,
            request_tokens=self.request.tokens(arm),
            ability=able.level,
            ability_known=able.known,
            is_published=able.is_published,
            languages=languages_of(model.name),
            licence=model.licence,
            pairs=self.work.pairs(arm),
            run_usd=trained.usd,
            is_rounded=bits == FOUR,
            trains_outside=trained.is_rented and not self.case.on_premise_only,
            misfit=seating.misfit or trained.misfit,
            is_held=seat is not None and (not arm.is_tuned or bool(trained.where)),
            how=tuple(words),
            notes=tuple(self._notes(arm, model, None if idle else seating.idle)),
            facts=(
                model.source,
                *sources_of(*(seat.served.host.facts if seat else ())),
                *ability_source(model.name),
            ),
        )

    def _standing(self, found: Seating) -> _Standing:
        """The machines of its seat, or the worker in their place where that pays."""
        seat, idle = found.seat, found.idle
        if seat is None:
            return _Standing(None, NOTHING, found.answer_ms)
        if idle is not None and self._pays(idle, seat):
            return _Standing(idle.seat, idle.month_usd, idle.latency_ms, _machines(seat), idle)
        return _Standing(seat, serving.month_usd(seat), found.answer_ms, _machines(seat))

    def _more_words(self, arm: Arm) -> Iterator[str]:
        """What large documents and a teacher's pairs are told by."""
        if arm.is_searched and self.index.month_usd.median + self.index.once_usd.median > 0:
            yield self.index.how
        if (pairs := self.work.pairs(arm)) and pairs > self.case.labelled_pairs:
            yield (
                f"{self.case.labelled_pairs:,.0f} pairs of people and inputs that {self._teacher()} answers,"
                f" together worth {pairs:,.0f}"
            )

    def _find_seating(self, model: OpenModelFacts, need: Need, bits: Bits) -> Seating:
        """Found once for all cases that ask for the same."""
        case = self.case
        wanted = (model.name, need, bits, case.requests_per_month, case.latency_p95_ms)
        key = (*wanted, case.hardware, case.on_premise_only, id(self.market))
        if key not in self.seats:
            self.seats[key] = self._seat(model, need, bits)
        return self.seats[key]

    def _seat(self, model: OpenModelFacts, need: Need, bits: Bits) -> Seating:
        demand = self._demand()
        at_hand = serving.seat_model(model, need, self.hosts, demand, [bits])
        # A dropped arm is told too what it would take, where anybody rents that out.
        seat = at_hand or serving.seat_model(model, need, self.rented, demand, [bits])
        if seat is None:
            return Seating(None, self._misfit(model, need), None, NOTHING)
        misfit = "" if at_hand else self._misfit(model, need)
        answer = serving.answer_ms(model, seat, need, demand)
        return Seating(seat, misfit, self._idle(model, need, demand, seat), answer)

    def _idle(
        self, model: OpenModelFacts, need: Need, demand: Demand, seat: Seat
    ) -> IdleMachine | None:
        """A worker that scales to zero, where one may be rented and could cost less than a month's."""
        if seat.served.host.is_own or seat.num > 1 or self.case.on_premise_only:
            return None
        return seat_on_serverless(model, need, self.market.workers, demand, self.taken, seat)

    def _pays(self, idle: IdleMachine, seat: Seat) -> bool:
        """Whether scaling to zero costs less, and is not too slow to start."""
        is_cheaper = idle.month_usd.median < serving.month_usd(seat).median
        return is_cheaper and idle.latency_ms.median <= self.case.latency_p95_ms.limit

    def _notes(self, arm: Arm, model: OpenModelFacts, idle: IdleMachine | None) -> Iterator[str]:
        """What else there is: a worker that scales to zero, and hosts that train, where data may go there."""
        if idle is not None:
            yield f"or on {idle.words}"
        if arm.is_tuned and not self.case.on_premise_only and self.case.data_class != "regulated":
            hosts = list(hosts_of(self.facts, model, self.work.count_trained_tokens(arm)))
            yield from filter(None, [host_words(hosts)])
        yield from self._more_words(arm)

    def _words(self, model: OpenModelFacts, seat: Seat | None, idle: IdleMachine | None) -> str:
        if seat is None:
            return ""
        served = seat.served
        if idle is not None:
            return f"{model.name}, {served.bits}-bit, on {idle.words}"
        machines = f"{seat.num} x ({served.host.name})" if seat.num > 1 else served.host.name
        is_stand_in = self.case.on_premise_only and not served.host.is_own
        standing = "as if it were rented all month" if is_stand_in else served.host.standing
        held = f"{served.bits}-bit, {served.memory_gib:,.1f} GiB"
        return f"{model.name}, {held} on {machines}, {standing}{serving.slow_end(seat)}"

    def _demand(self) -> Demand:
        taken, limit = self.taken, self.case.latency_p95_ms
        return Demand(
            requests_per_month=self.case.requests_per_month,
            peak_over_mean=taken["peak_over_mean"].median,
            most_at_once=taken["requests_at_once"].median,
            prefill=taken["prefill_utilisation"],
            decode=taken["decode_efficiency"],
            most_ms=limit.limit if "latency_p95_ms" in self.case.stated else math.inf,
        )

    def _need(self, arm: Arm) -> Need:
        case = self.case
        cached = case.corpus_tokens if arm.method == "prompt+long-context" else 0.0
        prompt = self.request.prompt(arm)
        return Need(prompt, cached, case.tokens_out, self._at_once(prompt + cached))

    def _at_once(self, prompt: float) -> int:
        """Requests in memory at once: as many as come, on the mean, while one is answered in the busiest hour
        (Little 1961), up to the low end of the assumption."""
        seconds = prompt / _READ_A_SECOND + self.case.tokens_out / _WRITTEN_A_SECOND
        peak = self.case.requests_per_month * self.taken["peak_over_mean"].median
        there = peak / (HOURS_A_MONTH * 3600) * seconds
        return max(1, min(round(self.taken["requests_at_once"].low), math.ceil(there)))

    def _teacher(self) -> str:
        """The model that answers unlabelled inputs: that of the prompted arm at an API."""
        return self._api_of(_TEACHER).model

    def _teaching(self, arm: Arm) -> Range:
        """What a teacher's answers cost."""
        if not arm.is_trained or not self.work.count_taught():
            return NOTHING
        api, in_batches = self._api_of(_TEACHER), self.request.may_wait
        each = self.request.at_api(api, _TEACHER, in_batches=in_batches)
        return product(each, self.work.count_taught())

    def _training(self, arm: Arm) -> TrainingCost:
        """A LoRA run on the cheapest machine that holds its step in 16 bits, or else in 4.

        Where none that may be taken does, what a rented one would cost is told with the misfit."""
        model, taken = self._model_of(arm), self.taken
        step = self.facts.step_of(model.name, self.request.prompt(arm) + self.case.tokens_out)
        tokens = self.work.count_trained_tokens(arm)
        there = self._at_hand(self.market.training)
        fit, other = (training_host(step, hosts) for hosts in (there.may, there.rented))
        misfit = "" if fit else training_misfit(model, step, there, other)
        if (host := fit or other) is None:
            return TrainingCost(NOTHING, NOTHING, "", misfit)
        flops = product(tokens, step.flops_a_token)
        hours = hours_of(flops, taken["training_utilisation"], host.tflops)
        usd = product(host.usd_per_hour, hours)
        where = f"{host.name}{self._whose(host) or host.landlords}"
        return TrainingCost(usd, hours, where, misfit, not host.is_own)

    def _whose(self, host: Host) -> str:
        """What is said of a machine to train on that is not the user's, where nothing may leave."""
        if host.is_own or not self.case.on_premise_only:
            return ""
        return ", rented, which on-premise forbids" if self.must_own else ", as if it were rented"

    def _at_hand(self, rented: Sequence[Host]) -> AtHand:
        return AtHand(self.own if self.must_own else [*self.own, *rented], rented, self.must_own)

    def _misfit(self, model: OpenModelFacts, need: Need) -> str:
        there = self._at_hand(self.rented)
        return explain_unserved(model, need, there, self.case.requests_per_month)


def _each(month: Range, case: Case) -> Range:
    return product(month, 1 / max(1.0, case.requests_per_month))


def _machines(seat: Seat) -> Machines:
    host = seat.served.host
    steps = MachineSteps(product(host.usd_per_hour, HOURS_A_MONTH), seat.carries)
    return Machines(steps, host.count)
