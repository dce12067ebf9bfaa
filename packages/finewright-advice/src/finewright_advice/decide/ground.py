"""What a gate looks at, and what it says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.arms import ARMS, Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.schema.decide import Method

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


def named(method: str) -> list[Arm]:
    """The arms of a method."""
    return [arm for arm in ARMS if arm.method == method]
