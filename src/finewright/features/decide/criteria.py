"""Each arm's utility by criterion: 1 at the target, 0 at the limit, a straight line between.

Money, latency, update delay and work are computed; quality is measured, or a prior; privacy,
customisation, independence and reversibility are ordinal judgements."""

import math
from typing import TypeAlias, get_args

from finewright.catalog.advice import Advice
from finewright.features.decide.arms import Arm, Figures, Measure, figure_of, point_of
from finewright.features.decide.case import Case
from finewright.features.decide.gates import PAIRS_NEEDED
from finewright.features.decide.spec import Aim
from finewright.schema.decide import Criterion, Method

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
Utilities: TypeAlias = dict[Criterion, float]

_WORST_GAP = 3.0
_SENSITIVE = ("confidential", "regulated")
_GOOD_DELAY = 0.1
_PAIRS_AT_FULL = 5000
_PRIOR_POINT: dict[Method, str] = {
    "prompt": "prior_prompt",
    "prompt+long-context": "prior_rag",
    "rag": "prior_rag",
    "ft": "prior_ft",
    "rag+ft": "prior_ft",
}


def utility(value: float, target: float, limit: float) -> float:
    """1 at the target or better, 0 at the limit or worse: (limit - value) / (limit - target)."""
    return min(1.0, max(0.0, (limit - value) / (limit - target)))


def utilities(
    case: Case, arm: Arm, figures: Figures, advice: Advice, measured: dict[Method, float]
) -> Utilities:
    """The arm's utility by every criterion."""
    half_life = case.fact_half_life_days
    delay = case.at("retraining", figures.update_days)

    def within(measure: Measure, aim: Aim) -> float:
        taken = case.at(point_of(arm, measure), figure_of(figures, measure))
        return utility(taken, aim.target, aim.limit)

    values: Utilities = {
        "quality": _quality(case, arm, advice, measured),
        "once_usd": within("once_usd", case.once_budget_usd),
        "month_usd": within("month_usd", case.month_budget_usd),
        "latency": within("latency_ms", case.latency_p95_ms),
        "update_delay": utility(delay, _GOOD_DELAY * half_life, half_life),
        "data_effort": within("effort_hours", case.effort_hours),
    }
    return values | _ordinal(case, arm, figures, advice)


def _quality(case: Case, arm: Arm, advice: Advice, measured: dict[Method, float]) -> float:
    """What was measured, or 1 less what is left of the gaps: a whole gap of degree 3 left is worth 0."""
    if arm.method in measured:
        return measured[arm.method]
    point, prior = _PRIOR_POINT[arm.method], advice.priors[arm.method]
    behaviour = case.at(point, prior.behaviour)
    if arm.is_tuned:
        prompted = advice.priors["prompt"].behaviour.median
        behaviour = prompted + (behaviour - prompted) * _enough(case.labelled_pairs)
    left = case.knowledge_gap * (1 - case.at(point, prior.knowledge)) + case.behaviour_gap * (
        1 - behaviour
    )
    quality = 1 - left / _WORST_GAP
    if arm.host == "self-hosted":
        loss = case.at("open_model_loss", advice.assumptions["open_model_loss"])
        quality -= loss / 2 if arm.is_tuned else loss
    return max(0.0, quality)


def _enough(pairs: float) -> float:
    """How much of its gain a fine-tune reaches: none at 50 pairs, all at 5,000, by their logarithm."""
    if pairs <= PAIRS_NEEDED:
        return 0.0
    return min(1.0, math.log(pairs / PAIRS_NEEDED) / math.log(_PAIRS_AT_FULL / PAIRS_NEEDED))


def _ordinal(case: Case, arm: Arm, figures: Figures, advice: Advice) -> Utilities:
    known = advice.ordinal
    privacy = known.privacy[figures.place][case.data_class]
    if arm.is_tuned and case.data_class in _SENSITIVE:
        privacy = max(0.0, privacy - known.memorised)
    at_api = known.at_api if arm.host == "api" else {}
    independence = known.independence[arm.method] * at_api.get("independence", 1.0)
    if arm.is_tuned and arm.host == "api":
        independence = known.tuned_at_api
    return {
        "privacy": privacy,
        "customisation": known.customisation[arm.method] * at_api.get("customisation", 1.0),
        "independence": independence,
        "reversibility": known.reversibility[arm.method] * at_api.get("reversibility", 1.0),
    }
