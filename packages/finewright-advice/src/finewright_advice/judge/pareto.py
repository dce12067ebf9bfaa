"""Which systems nothing else beats in both of two respects.

How sure it is which system is best, from the rows that were asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_BLOCK = 1 << 18


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


def chances_of_best(
    solved: Mapping[str, Sequence[bool]], *, resamples: int, seed: int
) -> dict[str, float]:
    """The share of bootstrap resamples of the rows in which a system solves the most; ties are shared.

    All systems answer the same resampled rows (paired; Efron 1979). The shares sum to 1. It speaks of these
    rows' kind of rows only, and not of another training run's luck."""
    import numpy as np

    table = np.array([list(map(bool, rows)) for rows in solved.values()], dtype=np.float64)
    num_rows = table.shape[1]
    if not num_rows:
        raise ValueError("no rows: nothing tells which system is best")
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(solved))
    step = max(1, _BLOCK // num_rows)
    for start in range(0, resamples, step):
        drawn = rng.multinomial(
            num_rows, np.full(num_rows, 1 / num_rows), size=min(step, resamples - start)
        )
        totals = np.rint(drawn @ table.T)
        is_top = totals == totals.max(axis=1, keepdims=True)
        wins += (is_top / is_top.sum(axis=1, keepdims=True)).sum(axis=0)
    return dict(zip(solved, (wins / resamples).tolist(), strict=True))
