"""The model of each arm: chosen together with the approach and the host, out of all that the catalog has.

Every model is tried in every arm of its host; the one whose weighted sum is largest is taken, of those that
no gate drops, that nobody switches off within the horizon, and of which something is published. A model that
the spec states stays; the others are then told beside it.

The weighted sum, and the order that it gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from finewright.report.cells import apart, number
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.arms import ARMS, WITH_MODEL, Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.decide.criteria import CRITERIA, Utilities
from finewright_advice.decide.facts import Excess
from finewright_advice.decide.results import ModelFigure
from finewright_advice.decide.spec import UNKNOWN, DecideSpec
from finewright_advice.schema.money import Criterion


class ScoredArm(NamedTuple):
    """An arm and its weighted sum."""

    arm: Arm
    score: float


def weights_of(spec: DecideSpec, advice: Advice) -> dict[Criterion, float]:
    """The profile's weights with the user's own in their place, made to sum to 1."""
    raw = {**advice.profiles[spec.profile].weights, **spec.weights}
    whole = sum(raw.values())
    return {name: raw[name] / whole for name in CRITERIA}


def score(weights: Mapping[Criterion, float], utilities: Utilities) -> float:
    """The sum of weight times utility."""
    return sum(weights[name] * utilities[name] for name in CRITERIA)


def ranking(
    weights: Mapping[Criterion, float], utilities: Mapping[Arm, Utilities]
) -> Sequence[ScoredArm]:
    """The arms by score, the best first; equal scores by the order of the arms, simplest first."""
    scored = [ScoredArm(arm, score(weights, utilities[arm])) for arm in ARMS if arm in utilities]
    return sorted(scored, key=lambda item: -item.score)


SAME = 0.01
"""Quality that no judge would tell apart."""
_CHEAPER = 0.8
_NEARLY, _MUCH = 0.03, 3.0
"""Quality that is hardly more, for so many times the money."""
_FELT = 0.1
"""Utility that is felt where it is less."""
_MORE = 0.001
"""Of a score: what is less does not show."""
_SOME = 0.3
"""Quality below which a cheap model is no rival."""


class Candidates(NamedTuple):
    """The models that are tried at an API, and on machines of one's own."""

    api: Sequence[str]
    own: Sequence[str]


class ModelTrial(NamedTuple):
    """A model in an arm: its figures and worth, and which gate drops it there."""

    model: str
    figures: Figures
    utilities: Utilities
    score: float
    dropped: str
    over: tuple[Excess, ...] = ()
    """The limits that it is over, where these alone drop it."""
    cannot: bool = False
    """Whether it cannot be at all."""

    @property
    def quality(self) -> float:
        """The share of cases done well."""
        return self.utilities["quality"]


Trial = Callable[[Case], Mapping[Arm, ModelTrial]]
"""What every arm is worth in a case, dropped ones too."""


def try_models(base: Case, candidates: Candidates, trial: Trial) -> dict[Arm, list[ModelTrial]]:
    """Every model in every arm of its host; a stated model is among them, by its own name."""
    apis, owns = _with(candidates.api, base.api_model), _with(candidates.own, base.base_model)
    found: dict[Arm, list[ModelTrial]] = {arm: [] for arm in WITH_MODEL}
    for api, own in zip_longest(apis, owns):
        due = {"api": api, "self-hosted": own}
        usual = {"api": apis[0], "self-hosted": owns[0]}
        models = {arm.name: due[arm.host] or usual[arm.host] for arm in found}
        each = trial(replace(base, models=models))
        for arm, rows in found.items():
            if due[arm.host] is not None:
                rows.append(each[arm]._replace(model=models[arm.name]))
    return found


def best(base: Case, rows: Mapping[Arm, Sequence[ModelTrial]]) -> dict[str, str]:
    """The model of each arm by the arm's name: the stated one, or else the best."""
    return {
        arm.name: max(_trials_allowed(base, arm, each), key=worth).model
        for arm, each in rows.items()
    }


def nearest(base: Case, rows: Mapping[Arm, Sequence[ModelTrial]]) -> str:
    """The arm and model that limits alone drop, and that is the least over them, in words: what to loosen
    first; empty where other rules drop all."""
    found = [
        (arm, row)
        for arm, each in rows.items()
        for row in _trials_allowed(base, arm, each)
        if row.over
    ]
    if not found:
        return ""
    arm, row = min(found, key=lambda pair: _farthest(pair[1]))
    model = f" with {row.model}" if arm.is_language_model else ""
    return f"{arm.name}{model}, which {' and '.join(over.reason for over in row.over)}"


def _farthest(row: ModelTrial) -> float:
    """How many times the limit the figure is that is the farthest over its own."""
    return max(over.times for over in row.over)


def _trials_allowed(base: Case, arm: Arm, rows: Sequence[ModelTrial]) -> list[ModelTrial]:
    """The model that the spec states for the arm's host, or else all that were tried."""
    stated = base.api_model if arm.host == "api" else base.base_model
    if stated == UNKNOWN or not arm.is_language_model:
        return list(rows)
    return [row for row in rows if row.model == stated]


def show_models(
    arm: Arm,
    rows: Sequence[ModelTrial],
    chosen: str,
    quality_of: Callable[[Arm, Figures], Range],
) -> Iterator[ModelFigure]:
    """The models of an arm, the chosen one first, then by worth."""
    for row in sorted(rows, key=lambda row: (row.model != chosen, *(-w for w in worth(row)))):
        yield ModelFigure(
            arm=arm.name,
            model=row.model,
            is_chosen=row.model == chosen,
            quality=quality_of(arm, row.figures),
            month_usd=row.figures.month_usd,
            latency_ms=row.figures.latency_ms,
            score=row.score,
            known=row.figures.ability_known,
            dropped=row.dropped,
            is_possible=row.figures.is_held and not row.cannot,
        )


def cheaper(rows: Sequence[ModelTrial], chosen: str, arm: Arm) -> str:
    """The cheapest model of an arm that does the same as the chosen one for less: where it runs, and what is
    lost by it; empty where none does."""
    ours, able = _of(rows, chosen)
    month = ours.figures.month_usd.median
    equals = (row for row in able if row.quality >= ours.quality - SAME)
    least = min(equals, key=lambda row: row.figures.month_usd.median, default=ours)
    if least.figures.month_usd.median >= _CHEAPER * month:
        return ""
    one, two = apart(least.quality, ours.quality, least=2)
    where = least.figures.how[0] if arm.host == "api" and least.figures.how else least.model
    return (
        f"a cheaper model does the same: {where} ({arm.name}) with quality {one} for"
        f" {number(least.figures.month_usd.median)} USD a month, {chosen} with {two} for"
        f" {number(month)}{_describe_loss(ours, least)}"
    )


def better(base: Case, rows: Mapping[Arm, Sequence[ModelTrial]], score: float | None) -> str:
    """What scores more than the answer, or is left where nothing is, by a model beside those that the spec
    names; empty where nothing is."""
    others = [
        (arm, row)
        for arm, each in rows.items()
        for row in each
        if row not in _trials_allowed(base, arm, each) and worth(row)[0] and worth(row)[3]
    ]
    if not others:
        return ""
    arm, row = max(others, key=lambda pair: pair[1].score)
    if score is None:
        return f"with another model than the one you name {arm.name} is left: {row.model}"
    if row.score - score < _MORE:
        return ""
    theirs, ours = apart(row.score, score, least=3)
    month = number(row.figures.month_usd.median)
    return (
        f"another model than the one you name scores more: {arm.name} with {row.model}, {theirs} against"
        f" {ours}, for {month} USD a month"
    )


def _of(rows: Sequence[ModelTrial], chosen: str) -> tuple[ModelTrial, list[ModelTrial]]:
    """The chosen model's row, and those that no gate drops and of which something is published."""
    ours = next(row for row in rows if row.model == chosen)
    return ours, [row for row in rows if not row.dropped and row.figures.is_published]


def _describe_loss(ours: ModelTrial, theirs: ModelTrial) -> str:
    """What the other is worse by, criterion by criterion, and who else sees the data."""
    mine, others = ours.utilities, theirs.utilities
    worse = [
        f"{name.replace('_', ' ')} {others[name]:.2f}, not {mine[name]:.2f}"
        for name in mine
        if name != "quality" and mine[name] - others[name] >= _FELT
    ]
    is_third = theirs.figures.is_third_party and not ours.figures.is_third_party
    worse += ["a third party hosts it, so that it is none for regulated data"] if is_third else []
    return f"; what is lost: {'; '.join(worse)}" if worse else ""


def elsewhere(
    rows: Sequence[ModelTrial], chosen: str, other: Arm, others: Sequence[ModelTrial]
) -> str:
    """The cheapest model at the other host that does the same as the chosen one; empty where none does."""
    ours = next(row for row in rows if row.model == chosen)
    return cheaper([ours, *(row for row in others if row.figures.is_held)], chosen, other)


def dearer(rows: Sequence[ModelTrial], chosen: str) -> str:
    """What the ablest model would do, where the chosen one does nearly as much for much less."""
    ours, able = _of(rows, chosen)
    best = max(able, key=lambda row: row.quality, default=ours)
    month, most = ours.figures.month_usd.median, best.figures.month_usd.median
    if best.quality - ours.quality > _NEARLY or month >= most / _MUCH:
        return ""
    one, two = apart(ours.quality, best.quality, least=2)
    return (
        f"a dearer model does hardly more: {best.model} with quality {two} for {number(most)} USD a month,"
        f" {chosen} with {one} for {number(month)}"
    )


def shortlist(
    base: Case, rows: Mapping[Arm, Sequence[ModelTrial]], taken: Mapping[str, str]
) -> list[dict[str, str]]:
    """For each arm the next best, the ablest and the cheapest model beside the one that is taken, as maps of
    all arms: what is looked at where an input is another."""
    found: list[dict[str, str]] = []
    second = {
        arm.name: _second(_prefer_published(base, arm, each), taken) for arm, each in rows.items()
    }
    found.append({**taken, **{name: model for name, model in second.items() if model}})
    for of in (
        lambda row: row.quality,
        lambda row: (row.quality > _SOME, -row.figures.month_usd.median),
    ):
        models = {
            arm.name: max(_prefer_published(base, arm, each), key=of).model
            for arm, each in rows.items()
        }
        if models != taken and models not in found:
            found.append(models)
    return found


def _second(rows: Sequence[ModelTrial], taken: Mapping[str, str]) -> str:
    """The best that is not taken anywhere; empty where there is no other."""
    others = [row for row in rows if row.model not in taken.values()]
    return max(others, key=worth).model if others else ""


def _prefer_published(base: Case, arm: Arm, rows: Sequence[ModelTrial]) -> Sequence[ModelTrial]:
    """Those that may be taken where they are published and served at all, or else all that may be."""
    may = _trials_allowed(base, arm, rows)
    return [r for r in may if r.figures.is_published and r.figures.is_held] or may


def _with(names: Sequence[str], stated: str) -> list[str]:
    return list(names) if stated in (UNKNOWN, *names) else [*names, stated]


def worth(row: ModelTrial) -> tuple[int, int, float, int, float, float]:
    """By what a model is chosen: not dropped, or else such as could be, and is the least over a limit; not
    ending and published; then its score. Where none could be, the one that reads most of what it must and
    is the ablest, so that what is said of it holds for all."""
    figures = row.figures
    is_possible = figures.is_held and not row.cannot
    over = max((each.times for each in row.over), default=0.0)
    stays = not figures.ends and figures.is_published
    if row.cannot:
        read = min(figures.context_tokens, figures.request_tokens)
        return (0, is_possible, read, stays, row.quality, figures.ability.median)
    return (not row.dropped, is_possible, -over, stays, row.score, 0.0)


def eligible(base: Case, arm: Arm, rows: Sequence[ModelTrial]) -> list[ModelTrial]:
    """The models that may be taken in an arm whatever the weights are: none where a gate drops all."""
    left = [row for row in _trials_allowed(base, arm, rows) if not row.dropped]
    best = max((worth(row)[:4] for row in left), default=None)
    return [row for row in left if worth(row)[:4] == best]
