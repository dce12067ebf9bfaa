"""The advice as a whole: gates, utilities, ranking, sensitivity, next step, and where it all comes from."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Literal

from finewright.estimate.freshness import AGED, RENEWAL, freshness
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.arms import ARMS, Arm, Figures, FiguresOf
from finewright_advice.decide.case import Case, alone, list_assumptions, middle, swings
from finewright_advice.decide.choice import (
    Candidates,
    ModelTrial,
    best,
    better,
    cheaper,
    dearer,
    eligible,
    elsewhere,
    nearest,
    ranking,
    score,
    shortlist,
    show_models,
    try_models,
    weights_of,
    worth,
)
from finewright_advice.decide.criteria import Utilities, quality_range, utilities
from finewright_advice.decide.experiment import Field, next_experiment
from finewright_advice.decide.facts import Ground
from finewright_advice.decide.gates import Drop, drops, excesses, findings, remaining, uncertain
from finewright_advice.decide.needs import with_room
from finewright_advice.decide.results import (
    AdviceSource,
    ArmCost,
    DecideReport,
    FactsUsed,
    ModelFigure,
    RankedArm,
    RuleFinding,
)
from finewright_advice.decide.sensitivity import (
    ArmStanding,
    Contender,
    Shares,
    flips,
    tornado,
    win_shares,
)
from finewright_advice.decide.spec import DecideSpec
from finewright_advice.decide.volume import break_evens, curves
from finewright_advice.decide.wording import (
    CLEAR,
    answer_of,
    describe_first,
    licence_of,
    list_unnamed,
    oftener,
    oftenest,
    reasons,
)
from finewright_advice.estimate.money import exact, product, total

_CURVES = 4


@dataclass(frozen=True, slots=True)
class Adviser:
    """The facts and the day that advice is given by."""

    advice: Advice
    figures_of: FiguresOf
    facts_sha256: str
    today: date
    candidates: Candidates

    def advise(self, name: str, spec: DecideSpec) -> DecideReport:
        """Which arm to take, why, what would change it, and what to measure next."""
        return _Question(self, spec).answer(name)


class _Question:
    """One spec under one set of facts."""

    def __init__(self, adviser: Adviser, spec: DecideSpec) -> None:
        self.adviser, self.spec, self.advice = adviser, spec, adviser.advice
        self.weights = weights_of(spec, self.advice)
        self.measured = dict(spec.measured_quality)
        base = middle(spec, self.advice)
        self.tried = try_models(base, adviser.candidates, self.trial)
        if (wider := with_room(self.advice, spec, self.tried)) is not self.advice:
            self.advice, base = wider, middle(spec, wider)
            self.tried = try_models(base, adviser.candidates, self.trial)
        self.base = replace(base, models=best(base, self.tried))
        self.short = [self.base.models, *shortlist(base, self.tried, self.base.models)]
        self.figures = self.figures_in(self.base)
        self.swings = tuple(swings(spec, self.base, self.advice))

    def trial(self, case: Case, known: Container[tuple[Arm, str]] = ()) -> dict[Arm, ModelTrial]:
        """What every arm is worth in a case, and which gates drop it; but arms with a model that is known."""
        ground = self.ground(case)
        dropped = drops(ground)
        return {
            arm: self.try_with(case, arm, figures, dropped.get(arm, []))
            for arm, figures in ground.figures.items()
            if (arm, case.models.get(arm.name, figures.model)) not in known
        }

    def try_with(
        self, case: Case, arm: Arm, figures: Figures, dropped: Sequence[Drop]
    ) -> ModelTrial:
        """The model of an arm's figures there, and what drops it."""
        of = utilities(case, arm, figures, self.advice, self.measured)
        return ModelTrial(
            model=figures.model,
            figures=figures,
            utilities=of,
            score=score(self.weights, of),
            dropped=f"{dropped[0].rule}: {dropped[0].verdict.reason}" if dropped else "",
            over=excesses(case, figures) if {each.rule for each in dropped} == {"G11"} else (),
            cannot=any(each.verdict.cannot for each in dropped),
        )

    def quality(self, arm: Arm, figures: Figures) -> Range:
        """How good an arm may be."""
        return quality_range(self.base, arm, figures, self.advice, self.measured)

    def figures_in(self, case: Case) -> dict[Arm, Figures]:
        """The figures of every arm, in batches or 4 bits where that is within more limits, or scores more."""

        def worth_of(arm: Arm, figures: Figures) -> tuple[int, bool, float]:
            values = utilities(case, arm, figures, self.advice, self.measured)
            # What was measured was not measured of weights that are rounded afterwards.
            is_measured = not (figures.is_rounded and arm.method in self.measured)
            return -len(excesses(case, figures)), is_measured, score(self.weights, values)

        return {
            arm: max((of, *of.others), key=partial(worth_of, arm)) if of.others else of
            for arm, of in self.adviser.figures_of(case).items()
        }

    def ground(self, case: Case) -> Ground:
        """A case with its figures."""
        figures = self.figures_in(case)
        return Ground(case, figures, self.advice, self.adviser.today, self.measured)

    def utilities_in(self, case: Case) -> Mapping[Arm, Utilities]:
        """The arms that the gates leave in a case, with their utilities."""
        ground = self.ground(case)
        return {
            arm: utilities(case, arm, ground.figures[arm], self.advice, self.measured)
            for arm in remaining(ground)
        }

    def contenders(self, case: Case) -> dict[Arm, list[ModelTrial]]:
        """The arms that the gates leave in a case, with the models of the short list that each may have."""
        found: dict[Arm, list[ModelTrial]] = {}
        known: set[tuple[Arm, str]] = set()
        for models in self.short:
            for arm, row in self.trial(replace(case, models=models), known).items():
                named = row._replace(model=models.get(arm.name, row.model))
                known.add((arm, named.model))
                found.setdefault(arm, []).append(named)
        left = {arm: eligible(case, arm, rows) for arm, rows in found.items()}
        return {arm: rows for arm, rows in left.items() if rows}

    def best_in(self, case: Case) -> Mapping[Arm, ArmStanding]:
        """The arms that the gates leave in a case, each with the model that is best there."""
        best = {arm: max(rows, key=worth) for arm, rows in self.contenders(case).items()}
        return {
            arm: ArmStanding(
                row.utilities,
                "" if row.model == self.base.models.get(arm.name, row.model) else row.model,
            )
            for arm, row in best.items()
        }

    def standings_in(self, case: Case) -> list[Contender]:
        """Every arm with every model that it may have, as far as the short list has it."""
        return _contenders(self.contenders(case))

    def all_contenders(self) -> list[Contender]:
        """Every arm with every model of the catalog that it may have in the middle."""
        others = {arm: [row] for arm, row in self.trial(self.base).items() if arm not in self.tried}
        rows = {**self.tried, **others}
        return _contenders({arm: eligible(self.base, arm, each) for arm, each in rows.items()})

    def answer(self, name: str) -> DecideReport:
        """The report."""
        ground = self.ground(self.base)
        certain = findings(ground)
        singly = [each for swing in self.swings if (each := alone(swing, self.base))]
        maybe = uncertain(certain, singly, lambda case: findings(self.ground(case)))
        arms = remaining(ground)
        shares = win_shares(self.weights, self.base, self.swings, self.standings_in)
        ranked = self.rank(shares, certain)
        moved = tornado(self.weights, _arm(ranked[0]), singly, self.best_in) if ranked else []
        verdict = _verdict(ranked)
        field = Field(self.base, self.figures, ranked, moved, verdict != "clear")
        sources = self.sources([*certain, *maybe])
        return DecideReport(
            name=name,
            today=self.adviser.today,
            spec=self.spec,
            verdict=verdict,
            answer=answer_of(ranked, shares.none) if ranked else self.nothing(certain),
            winner=ranked[0].arm if ranked else "",
            win_share=ranked[0].win_share if ranked else 0.0,
            taken=describe_first(self.figures[_arm(ranked[0])], ranked[0]) if ranked else "",
            better=better(self.base, self.tried, ranked[0].score if ranked else None),
            weights=self.weights,
            ranking=tuple(ranked),
            findings=(*certain, *maybe),
            costs=tuple(self.cost(arm, certain) for arm in ARMS),
            models=tuple(self.models(ranked)),
            cheaper=self.cheaper(ranked),
            flips=tuple(flips(self.weights, self.all_contenders())),
            swings=tuple(moved),
            break_even=tuple(break_evens(self.base, self.figures, arms)),
            curves=tuple(curves(self.figures, [_arm(row) for row in ranked[:_CURVES]])),
            experiment=next_experiment(field),
            assumptions=list_assumptions(self.spec, self.advice),
            sources=sources,
            facts=self.facts_used(ranked),
            win_shares={arm.name: shares.wins[arm] for arm in ARMS},
            none_share=shares.none,
            problems=tuple(self.problems(ranked)),
        )

    def nothing(self, found: Sequence[RuleFinding]) -> str:
        """Which rules leave nothing, and what is nearest to the limits."""
        rules = sorted(
            {f.rule for f in found if f.effect == "dropped"}, key=lambda rule: int(rule[1:])
        )
        others = {arm: [row] for arm, row in self.trial(self.base).items() if arm not in self.tried}
        near = nearest(self.base, {**self.tried, **others})
        said = f"; nearest is {near}" if near else ""
        return f"nothing is left: {', '.join(rules)} dropped every option{said}"

    def rank(self, shares: Shares, found: Sequence[RuleFinding]) -> list[RankedArm]:
        """The arms in their order, each with what speaks for and against it."""
        utilities = self.utilities_in(self.base)
        return [
            RankedArm(
                arm=arm.name,
                method=arm.method,
                host=arm.host,
                score=worth,
                win_share=shares.wins[arm],
                model=self.figures[arm].model,
                licence=licence_of(arm, self.figures[arm].licence),
                quality=self.quality(arm, self.figures[arm]),
                utilities=utilities[arm],
                reasons=tuple(reasons(arm, utilities[arm], self.weights, found)),
            )
            for arm, worth in ranking(self.weights, utilities)
        ]

    def models(self, ranked: Sequence[RankedArm]) -> Iterator[ModelFigure]:
        """The models of the first arm, and of the first arm of the other host."""
        for host in dict.fromkeys(row.host for row in ranked):
            arm = next(_arm(row) for row in ranked if row.host == host)
            if arm.is_language_model:
                chosen = self.base.models[arm.name]
                yield from show_models(arm, self.tried[arm], chosen, self.quality)

    def cheaper(self, ranked: Sequence[RankedArm]) -> str:
        """The cheaper model that does the same as the first choice's, here or at the other host."""
        arm = _arm(ranked[0]) if ranked else None
        if arm is None or not arm.is_language_model:
            return ""
        rows, model = self.tried[arm], self.base.models[arm.name]
        (other,) = (each for each in self.tried if _differs(each, arm))
        there = elsewhere(rows, model, other, self.tried[other])
        return cheaper(rows, model, arm) or there or dearer(rows, model)

    def cost(self, arm: Arm, found: Sequence[RuleFinding]) -> ArmCost:
        """What an arm takes, dropped or not."""
        figures = self.figures[arm]
        dropped = [f for f in found if f.effect == "dropped" and arm.name in f.arms]
        is_possible = figures.is_held and not any(finding.cannot for finding in dropped)
        people = product(figures.effort_hours, self.people_usd_per_hour())
        months = product(figures.month_usd, self.base.horizon_months)
        return ArmCost(
            arm=arm.name,
            model=figures.model,
            quality=self.quality(arm, figures),
            once_usd=figures.once_usd,
            month_usd=figures.month_usd,
            latency_ms=figures.latency_ms,
            update_days=figures.update_days,
            effort_hours=figures.effort_hours,
            fixed_month_usd=figures.fixed_month_usd,
            request_usd=figures.request_usd,
            how=figures.how if is_possible else (),
            notes=figures.notes if is_possible else (),
            people_usd=people,
            whole_usd=total(figures.once_usd, people, months),
            dropped=tuple(dict.fromkeys(finding.rule for finding in dropped)),
            is_possible=is_possible,
        )

    def people_usd_per_hour(self) -> Range:
        """What the spec says an hour costs, or the assumption's range."""
        stated = self.base.people_usd_per_hour
        return exact(stated) if stated else self.advice.assumptions["people_usd_per_hour"]

    def sources(self, found: Sequence[RuleFinding]) -> tuple[AdviceSource, ...]:
        """Everybody whose word the answer rests on: rules, facts, priors and assumptions."""
        named = sorted({name for finding in found for name in finding.sources})
        known = self.advice.sources
        rules = [
            AdviceSource(
                name=name, reference=known[name].reference, observed_at=known[name].observed_at
            )
            for name in named
        ]
        taken = [
            AdviceSource(
                name=f"{name}: {each.about}", reference=each.source, observed_at=each.observed_at
            )
            for name, each in self.advice.assumptions.items()
        ]
        return (*rules, *self.facts(), *taken)

    def facts(self, arms: Sequence[Arm] = ARMS) -> list[AdviceSource]:
        """The rows of the catalog that the figures of these arms were made of."""
        rows = (fact for arm in arms for fact in self.figures[arm].facts)
        return list(dict.fromkeys(rows))

    def weighty(self, ranked: Sequence[RankedArm]) -> list[Arm]:
        """The first choice and what it is compared with."""
        return [_arm(row) for row in ranked[:2]]

    def facts_used(self, ranked: Sequence[RankedArm]) -> FactsUsed:
        """Their digest, and the age of the oldest that the first two arms rest on."""
        days = [fact.observed_at for fact in self.facts(self.weighty(ranked))]
        if not days:
            return FactsUsed(sha256=self.adviser.facts_sha256)
        found = freshness(min(days), self.adviser.today)
        return FactsUsed(
            sha256=self.adviser.facts_sha256,
            oldest=found.observed_at,
            age_days=found.age_days,
            state=found.level,
        )

    def describe_age(self, facts: FactsUsed, ranked: Sequence[RankedArm]) -> str:
        """The oldest facts by name, and their age in words."""
        known = self.facts(self.weighty(ranked))
        oldest = [fact.name for fact in known if fact.observed_at == facts.oldest]
        more = f" and {len(oldest) - 1} more" if len(oldest) > 1 else ""
        age = AGED[facts.state or "aging"]
        return f"the oldest fact this rests on was seen {facts.oldest}, {age}: {oldest[0]}{more}"

    def problems(self, ranked: Sequence[RankedArm]) -> list[Problem]:
        """What the reader should know before taking the answer for granted."""
        found = []
        facts = self.facts_used(ranked)
        if facts.state not in (None, "fresh"):
            found.append(_warning(self.describe_age(facts, ranked), RENEWAL))
        if not ranked:
            found.append(
                _warning("no option passes the gates", "loosen what a dropped option names")
            )
        elif (best := oftenest(ranked)) != ranked[0]:
            found.append(_warning(oftener(ranked[0], best), "find out what is unknown"))
        found += [_warning(*said) for said in list_unnamed(self.spec, ranked)]
        return found


def _verdict(
    ranked: Sequence[RankedArm],
) -> Literal["clear", "too close, measure", "nothing is left"]:
    if not ranked:
        return "nothing is left"
    return "clear" if ranked[0].win_share >= CLEAR else "too close, measure"


def _contenders(rows: Mapping[Arm, Sequence[ModelTrial]]) -> list[Contender]:
    return [Contender(arm, row.model, row.utilities) for arm in ARMS for row in rows.get(arm, [])]


def _differs(one: Arm, other: Arm) -> bool:
    """Whether it is the same approach at the other host."""
    return one.method == other.method and one.host != other.host


def _arm(row: RankedArm) -> Arm:
    return Arm(row.method, row.host)


def _warning(message: str, hint: str) -> Problem:
    return Problem(level="warning", message=message, hint=hint)
