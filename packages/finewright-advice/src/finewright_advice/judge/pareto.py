"""Which systems nothing else beats in both of two respects."""

from collections.abc import Mapping
from typing import NamedTuple


class ParetoPoint(NamedTuple):
    """What a system costs (less is better) and how often it succeeds (more is better)."""

    cost: float
    success: float


def frontier(points: Mapping[str, ParetoPoint]) -> frozenset[str]:
    """The points that no other dominates, by being as cheap and as good and better in one."""
    return frozenset(
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for other in points.values())
    )


def _dominates(other: ParetoPoint, point: ParetoPoint) -> bool:
    no_worse = other.cost <= point.cost and other.success >= point.success
    return no_worse and other != point
