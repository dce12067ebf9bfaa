"""The weighted sum, and the order that it gives."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.arms import ARMS, Arm
from finewright_advice.decide.criteria import CRITERIA, Utilities
from finewright_advice.decide.spec import DecideSpec
from finewright_advice.schema.decide import Criterion


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
