"""The figures of the arms in a case, out of prices, model shapes and assumptions.

This is the one place where the decision meets the estimators: what is read from the catalog and from
`finewright.estimate` is turned into ranges here, and nowhere else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from finewright.estimate.freshness import deadline_of
from finewright.estimate.money import HOURS_A_MONTH, MachineSteps, product, total
from finewright.features.decide import serving
from finewright.features.decide.ability import ability_of, languages_of, source_of
from finewright.features.decide.arms import ARMS, NOTHING, Arm, Figures, FiguresOf, Machines
from finewright.features.decide.case import Case
from finewright.features.decide.corpus import indexed
from finewright.features.decide.facts import Facts, LoraStep
from finewright.features.decide.models import OpenModelFacts
from finewright.features.decide.request import RequestShape
from finewright.features.decide.results import AdviceSource
from finewright.features.decide.serving import Demand, Host, Need, Seat
from finewright.features.decide.without_model import without_model
from finewright.schema.catalog import API, Deadline, Fact
from finewright.schema.cost import Range

_DAYS_A_MONTH = 365 / 12
_HOURS_A_DAY = 24
_MINUTES_AN_HOUR = 60
_CONTEXT_WITHOUT_ROW = 128_000
_TEACHER = Arm("prompt", "api")


def figures_with(facts: Facts) -> FiguresOf:
    """How the arms are figured with these facts."""
    hosts = serving.rented(facts.prices)

    def figures_of(case: Case) -> Mapping[Arm, Figures]:
        return _Figuring(facts, hosts, case).all()

    return figures_of


class TrainingCost(NamedTuple):
    """A training run: what it costs, how long it takes, and on which machine."""

    usd: Range
    hours: Range
    where: str
    misfit: str = ""
    """Why no machine that may be taken holds it."""


class _Figuring:
    """One case under one set of facts."""

    def __init__(self, facts: Facts, hosts: list[Host], case: Case) -> None:
        self.facts, self.case = facts, case
        self.taken = facts.taken
        self.own = serving.owned(case.hardware or (), facts.prices, self.taken["usd_per_kwh"])
        # On-premise with a machine that nobody named: what a like one would cost stands in for it.
        self.must_own = case.on_premise_only and case.hardware is not None
        self.rented = hosts
        self.hosts = self.own if self.must_own else [*self.own, *hosts]
        self.index = indexed(case.corpus_tokens, case.documents, self.taken, facts.disk_usd)
        self.request = RequestShape(case, self.taken, self.index.search_ms)

    def all(self) -> dict[Arm, Figures]:
        """The figures of every arm."""
        return {arm: self._of(arm) for arm in ARMS}

    def _of(self, arm: Arm) -> Figures:
        if not arm.is_language_model:
            minutes = self.facts.advice.labelling_minutes[self.case.task]
            return without_model(arm, self.case, self.taken, minutes)
        return self._api(arm) if arm.host == "api" else self._own(arm)

    def _api_of(self, arm: Arm) -> API:
        return self.facts.api(self.case.models.get(arm.name, self.case.api_model))

    def _model_of(self, arm: Arm) -> OpenModelFacts:
        return self.facts.models[self.case.models.get(arm.name, self.case.base_model)]

    def _api(self, arm: Arm) -> Figures:
        case, api = self.case, self._api_of(arm)
        request = self.request.at_api(api, arm)
        days = round(case.horizon_months * _DAYS_A_MONTH)
        ends = self._deadlines(api, days)
        able = ability_of(api.model, case.task)
        month = self.index.month_usd if arm.is_searched else NOTHING
        return Figures(
            once_usd=total(self._index_once(arm), self._teaching(arm)),
            month_usd=total(product(request, case.requests_per_month), month),
            latency_ms=self.request.api_ms(arm),
            update_days=self._update_days(arm, NOTHING),
            effort_hours=self._effort(arm),
            fixed_month_usd=month,
            request_usd=request,
            place="api",
            model=api.model,
            context_tokens=api.context_tokens or _CONTEXT_WITHOUT_ROW,
            request_tokens=self.request.tokens(arm),
            ability=able.level,
            ability_known=able.known,
            is_published=able.is_published,
            pairs=self._pairs(arm),
            ends=deadline_of(api, self.facts.prices.deadlines, self.facts.today, days),
            tuning_ends=min((d.date for d in ends if d.kind == "service"), default=None),
            can_fine_tune=api.can_fine_tune,
            how=tuple(self._api_words(api, arm)),
            facts=(*self._sources(api, *ends), *_ability_source(api.model)),
        )

    def _api_words(self, api: API, arm: Arm) -> Iterator[str]:
        yield f"{api.model} at {api.provider}"
        if arm.is_tuned:
            yield "what the provider asks for training is in no catalog, and not counted"
        if arm.method == "prompt+long-context":
            share = self.request.cached_share(self.taken["cache_minutes"].median)
            yield f"{share:.0%} of the prompts found in the provider's cache"
        yield from self._more_words(arm)

    def _own(self, arm: Arm) -> Figures:
        model, need, demand = self._model_of(arm), self._need(arm), self._demand()
        seat = serving.seated(model, need, self.hosts, demand)
        misfit = "" if seat else self._misfit(model, need)
        # A dropped arm is still told what it would take, where anybody rents that out.
        seat = seat or serving.seated(model, need, self.rented, demand)
        trained = self._training(arm) if arm.is_tuned else None
        misfit = misfit or (trained.misfit if trained else "")
        run = trained.usd if trained else NOTHING
        index = self.index.month_usd if arm.is_searched else NOTHING
        month = total(serving.month_usd(seat), index) if seat else NOTHING
        is_own = bool(seat and seat.served.host.is_own)
        how = [self._words(model, seat)] if seat else []
        able = ability_of(model.name, self.case.task, model.shape.parameters)
        once = total(
            product(run, self.taken["project_runs"]), self._index_once(arm), self._teaching(arm)
        )
        return Figures(
            once_usd=once,
            month_usd=month,
            latency_ms=self._own_latency(model, arm, need, seat),
            update_days=self._update_days(arm, trained.hours if trained else NOTHING),
            effort_hours=total(self._effort(arm), self.taken["serving_hours"]),
            fixed_month_usd=month,
            request_usd=NOTHING,
            machines=_machines(seat) if seat else None,
            place="own" if is_own or self.case.on_premise_only else "rented",
            model=model.name,
            context_tokens=model.context,
            request_tokens=self.request.tokens(arm),
            ability=able.level,
            ability_known=able.known,
            is_published=able.is_published,
            languages=languages_of(model.name),
            pairs=self._pairs(arm),
            run_usd=run,
            misfit=misfit,
            is_held=seat is not None,
            how=(
                *how,
                *([f"a training run on {trained.where}"] if trained else []),
                *self._more_words(arm),
            ),
            facts=(
                model.source,
                *self._sources(*(seat.served.host.facts if seat else ())),
                *_ability_source(model.name),
            ),
        )

    def _more_words(self, arm: Arm) -> Iterator[str]:
        """What large documents and a teacher's pairs are told by."""
        if arm.is_searched and self.index.month_usd.median + self.index.once_usd.median > 0:
            yield self.index.how
        if (pairs := self._pairs(arm)) and pairs > self.case.labelled_pairs:
            yield (
                f"{self.case.labelled_pairs:,.0f} pairs of people and inputs that {self._teacher()} answers,"
                f" together worth {pairs:,.0f}"
            )

    def _own_latency(self, model: OpenModelFacts, arm: Arm, need: Need, seat: Seat | None) -> Range:
        if seat is None:
            return NOTHING
        answer = serving.answer_ms(model, seat, need, self._demand())
        return total(answer, self.index.search_ms) if arm.is_searched else answer

    def _words(self, model: OpenModelFacts, seat: Seat) -> str:
        served = seat.served
        machines = f"{seat.num} x ({served.host.name})" if seat.num > 1 else served.host.name
        standing = "yours, its power alone" if served.host.is_own else "rented all month"
        if not served.host.is_own and self.case.on_premise_only:
            standing = "as if it were rented all month"
        held = f"{served.bits}-bit, {served.memory_gib:,.1f} GiB"
        return f"{model.name}, {held} on {machines}, {standing}{_slow_end(seat)}"

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
        return Need(self.request.prompt(arm), cached, case.tokens_out, round(taken.low))

    def _update_days(self, arm: Arm, hours: Range) -> Range:
        """Days until a changed fact is answered from: by training again only where weights hold the facts."""
        taken = self.taken
        if arm.method == "ft":
            return total(taken["retrain_days"], product(hours, 1 / _HOURS_A_DAY))
        return taken["reindex_days" if arm.has_passages else "prompt_days"]

    def _index_once(self, arm: Arm) -> Range:
        return self.index.once_usd if arm.is_searched else NOTHING

    def _effort(self, arm: Arm) -> Range:
        taken = self.taken
        parts: list[Range] = [taken["prompt_hours"]]
        if arm.method == "prompt+long-context":
            parts.append(taken["long_context_hours"])
        if arm.is_searched:
            parts.append(taken["rag_hours"])
        if arm.has_passages and self.case.corpus_tokens:
            parts.append(self.index.hours)
        if arm.is_tuned:
            parts += [taken["ft_hours"], self._labelling(arm)]
        return total(*parts)

    def _labelling(self, arm: Arm) -> Range:
        """Hours to label what is missing to a comfortable number of pairs."""
        wanted, have = self.taken["pairs_wanted"], self._pairs(arm) or self.case.labelled_pairs
        missing = Range(
            low=max(0.0, wanted.low - have),
            median=max(0.0, wanted.median - have),
            high=max(0.0, wanted.high - have),
        )
        minutes = self.facts.advice.labelling_minutes[self.case.task]
        return product(missing, product(minutes, 1 / _MINUTES_AN_HOUR))

    def _taught(self) -> float:
        """Inputs that a teacher answers for training (distillation): none where no API may see them, or where
        enough pairs are there."""
        case = self.case
        may = not case.on_premise_only and case.data_class != "regulated"
        wanted = self.taken["pairs_wanted"].high
        return min(case.unlabelled_inputs, max(0.0, wanted - case.labelled_pairs)) if may else 0.0

    def _pairs(self, arm: Arm) -> float | None:
        """Pairs to train on; one of a teacher is worth a share of one that people checked."""
        if not arm.is_tuned or not self._taught():
            return None
        worth = self.taken["taught_pair_worth"].median
        return self.case.labelled_pairs + worth * self._taught()

    def _teacher(self) -> str:
        """The model that answers unlabelled inputs: that of the prompted arm at an API."""
        return self._api_of(_TEACHER).model

    def _teaching(self, arm: Arm) -> Range:
        """What a teacher's answers cost."""
        if not arm.is_tuned or not self._taught():
            return NOTHING
        return product(self.request.at_api(self._api_of(_TEACHER), _TEACHER), self._taught())

    def _training(self, arm: Arm) -> TrainingCost:
        """A LoRA run on the cheapest machine that holds its step in 16 bits, or else in 4.

        Where none that may be taken does, what a rented one would cost is told with the misfit."""
        case, taken = self.case, self.taken
        model = self._model_of(arm).name
        step = self.facts.step_of(model)
        # a teacher's pair takes as long to train on as any other, whatever it is worth
        pairs = max(case.labelled_pairs + self._taught(), taken["pairs_wanted"].median)
        tokens = product(taken["epochs"], pairs * (self.request.prompt(arm) + case.tokens_out))
        fit, other = (_training_host(step, hosts) for hosts in (self.hosts, self.rented))
        misfit = "" if fit else self._training_misfit(model, step, other)
        host = fit or other
        if host is None:
            return TrainingCost(NOTHING, NOTHING, "no machine of the catalog", misfit)
        flops = product(tokens, step.flops_a_token)
        hours = _over(flops, taken["training_utilisation"], host.tflops)
        usd = product(host.usd_per_hour, hours)
        return TrainingCost(usd, hours, f"{host.name}{self._standing(host)}", misfit)

    def _standing(self, host: Host) -> str:
        """What is said of a machine to train on that is not the user's, where nothing may leave."""
        if host.is_own or not self.case.on_premise_only:
            return ""
        return ", rented, which on-premise forbids" if self.must_own else ", as if it were rented"

    def _training_misfit(self, model: str, step: LoraStep, other: Host | None) -> str:
        takes = f"training {model} takes {step.with_4_bits:,.1f} GiB with 4-bit weights"
        where = f"; a {other.name} holds it" if other else "; no machine of the catalog holds it"
        if not self.must_own:
            return f"{takes}{where}"
        yours = ", ".join(host.name for host in self.own) or "no machine"
        return f"nothing may leave your machines, and {takes}, more than {yours} holds{where}"

    def _misfit(self, model: OpenModelFacts, need: Need) -> str:
        least = serving.memory_gib(model.sizes, 4, need)
        other = serving.fits(model, need, self.rented)
        where = (
            f"; a {other.host.name} holds it" if other else "; no machine of the catalog holds it"
        )
        weights = serving.memory_gib(model.sizes, 4, Need(0, 0, 0, 0))
        takes = (
            f"{model.name} takes {least:,.1f} GiB, {weights:,.1f} for 4-bit weights and"
            f" {least - weights:,.1f} for the caches of {need.at_once} requests at once"
        )
        if self.must_own and not self.own:
            return f"on-premise, and you have no machine: {takes}{where}"
        yours = ", ".join(host.name for host in self.hosts) if self.must_own else "what is for rent"
        if serving.fits(model, need, self.hosts):
            return f"{yours} cannot carry the busiest hour of {self.case.requests_per_month:,.0f} requests"
        return f"{takes}, more than {yours} holds{where}"

    def _deadlines(self, api: API, days: int) -> list[Deadline]:
        """What ends within so many days of the model, or of its provider's fine-tuning."""
        return [
            deadline
            for deadline in self.facts.prices.deadlines
            if deadline.provider == api.provider
            and ("fine-tuning" in deadline.what or api.model in deadline.models)
            and (deadline.date - self.facts.today).days <= days
        ]

    def _sources(self, *rows: Fact) -> list[AdviceSource]:
        return [
            AdviceSource(name=_name(row), reference=row.source, observed_at=row.observed_at)
            for row in rows
        ]


def _ability_source(name: str) -> tuple[AdviceSource, ...]:
    found = source_of(name)
    return () if found is None else (found,)


def _training_host(step: LoraStep, hosts: Sequence[Host]) -> Host | None:
    for gib in (step.with_16_bits, step.with_4_bits):
        fits = [host for host in hosts if gib <= host.memory_gib * serving.USABLE]
        if fits:
            return min(fits, key=lambda host: host.usd_per_hour.median)
    return None


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
