"""Each arm's utility by criterion: 1 at the target, 0 at the limit, a straight line between.

Money, latency, update delay and work are computed; quality is measured, or a prior; privacy,
customisation, independence and reversibility are ordinal judgements."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias, get_args

from finewright.schema.cost import Range
from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.ability import success
from finewright_advice.decide.arms import Arm, Figures, Measure, figure_of, point_of
from finewright_advice.decide.case import Case, Point
from finewright_advice.decide.facts import PAIRS_NEEDED
from finewright_advice.decide.spec import Aim
from finewright_advice.schema.money import Criterion, Method

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
Utilities: TypeAlias = dict[Criterion, float]

_WORST_GAP = 3.0
_SENSITIVE = ("confidential", "regulated")
_GOOD_DELAY = 0.1
_PAIRS_AT_FULL = 5000
_LABELS_AT_FULL = 2000.0
_CASES_A_LABEL = 100.0
_CLASSIFIER_LEVEL = 60.0
"""How able a classifier with all its labels is, as a language model's level."""
_CLASSIFIER_START = 0.75
"""What it reaches of that with its first labels: SetFit with 8 a class against all (Tunstall et al. 2022)."""
_PRIOR_POINT: dict[Method, str] = {
    "prompt": "prior_prompt",
    "prompt+long-context": "prior_rag",
    "rag": "prior_rag",
    "ft": "prior_ft",
    "rag+ft": "prior_ft",
    "classifier": "prior_classifier",
}


def utility(value: float, target: float, limit: float) -> float:
    """1 at the target or better, 0 at the limit or worse: (limit - value) / (limit - target)."""
    return min(1.0, max(0.0, (limit - value) / (limit - target)))


def utilities(
    case: Case, arm: Arm, figures: Figures, advice: Advice, measured: Mapping[Method, float]
) -> Utilities:
    """The arm's utility by every criterion."""
    half_life = case.fact_half_life_days
    delay = case.at("retraining", figures.update_days)

    def within(measure: Measure, aim: Aim) -> float:
        taken = case.at(point_of(arm, measure), figure_of(figures, measure))
        return utility(taken, aim.target, aim.limit)

    values: Utilities = {
        "quality": quality_of(case, arm, figures, advice, measured),
        "once_usd": within("once_usd", case.once_budget_usd),
        "month_usd": within("month_usd", case.month_budget_usd),
        "latency": within("latency_ms", case.latency_p95_ms),
        "update_delay": utility(delay, _GOOD_DELAY * half_life, half_life),
        "data_effort": within("effort_hours", case.effort_hours),
    }
    return values | _ordinal(case, arm, figures, advice)


def quality_of(
    case: Case, arm: Arm, figures: Figures, advice: Advice, measured: Mapping[Method, float]
) -> float:
    """What was measured; of a rule, its stated share; else the share of cases that the model is able for, of
    what the method leaves of the gaps: a whole gap of degree 3 left is worth 0."""
    if arm.method in measured:
        return measured[arm.method]
    if arm.method == "rule":
        return case.rule_share
    pairs = case.labelled_pairs if figures.pairs is None else figures.pairs
    learned = _share_learned(case, arm, pairs, advice)
    behaviour = _behaviour(case, arm, advice, learned)
    prior = advice.priors[arm.method]
    left = case.knowledge_gap * (1 - case.at(_PRIOR_POINT[arm.method], prior.knowledge))
    left += case.behaviour_gap * (1 - behaviour)
    return max(0.0, 1 - left / _WORST_GAP) * _able(case, arm, figures, advice, learned)


def quality_range(
    case: Case, arm: Arm, figures: Figures, advice: Advice, measured: Mapping[Method, float]
) -> Range:
    """Its quality with method, model and work all at their worst, as the case has them, and at their best."""

    def at(point: Point, other: Point) -> float:
        names = (_PRIOR_POINT.get(arm.method), "api_ability", "own_ability")
        points = {name: point for name in names if name} | {"difficulty": other}
        there = replace(case, points={**case.points, **points})
        return quality_of(there, arm, figures, advice, measured)

    middle = quality_of(case, arm, figures, advice, measured)
    return Range(low=at("low", "high"), median=middle, high=at("high", "low"))


def _behaviour(case: Case, arm: Arm, advice: Advice, learned: float) -> float:
    """The share of the gap in behaviour that the method closes, and a grammar of what is left of it."""
    closed = case.at(_PRIOR_POINT[arm.method], advice.priors[arm.method].behaviour)
    if arm.is_tuned or arm.method == "classifier":
        prompted = advice.priors["prompt"].behaviour.median
        closed = prompted + (closed - prompted) * learned
    if case.output != "text" and arm.is_language_model:
        share = case.at("constrained_decoding", advice.assumptions["constrained_decoding"])
        closed += share * (1 - closed)
    return closed


def _able(case: Case, arm: Arm, figures: Figures, advice: Advice, learned: float) -> float:
    """The share of cases that a model, or a classifier with its labels, can get right at all."""
    hard = advice.difficulty[case.task]
    level = {"easy": hard.low, "usual": hard.median, "hard": hard.high}.get(case.difficulty)
    difficulty = case.at("difficulty", hard) if level is None else level
    if arm.method == "classifier":
        start = _CLASSIFIER_START
        return success(_CLASSIFIER_LEVEL, difficulty) * (start + (1 - start) * learned)
    point = "api_ability" if arm.host == "api" else "own_ability"
    share = success(case.at(point, figures.ability), difficulty)
    if arm.is_tuned:
        share += case.at("tuning_gain", advice.tuning_gain[case.task]) * (1 - share) * learned
    if figures.is_rounded:
        share *= case.at("own_ability", advice.assumptions["four_bits_keep"])
    return share


def labels_needed(case: Case, advice: Advice) -> float:
    """Labelled cases that a classifier starts at: as many for each label as where there are two."""
    return case.at("classifier_floor", advice.assumptions["classifier_floor"]) * case.labels / 2


def _share_learned(case: Case, arm: Arm, pairs: float, advice: Advice) -> float:
    """How much of its gain training reaches, by the logarithm of the pairs: of a language model none at 50
    and all at 5,000; of a classifier from its first labels to 2,000, or to 100 for each label."""
    least, most = float(PAIRS_NEEDED), float(_PAIRS_AT_FULL)
    if arm.method == "classifier":
        least = labels_needed(case, advice)
        most = max(_LABELS_AT_FULL, _CASES_A_LABEL * case.labels, 2 * least)
    if pairs <= least:
        return 0.0
    return min(1.0, math.log(pairs / least) / math.log(most / least))


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
