"""Lower confidence bounds of a mean that hold on few rows, whatever the shape of what is averaged.

A percentile bootstrap knows only what it saw: where few rows lose much and none of them was drawn, it
sees no loss. Both bounds here reckon with one more row, the worst there can be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_ELEMENTS = 1 << 18
"""Gamma variates drawn at once: 2 MiB of them."""
_HALVINGS = 60


def mean_at_least(
    values: NDArray[np.float64],
    *,
    floor: float,
    confidence: float,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """A one-sided lower bound of the mean of values that cannot be below `floor`.

    The (1 - confidence) quantile of sum_i D_i x_i over D ~ Dirichlet(1, ..., 1), of the n values and `floor`
    once more (Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable"; Learned-Miller & Thomas 2019, arXiv:1905.06208). For 0 and 1 it is Clopper and
    Pearson's bound; for differences of -1, 0 and 1 it is above 0 where McNemar's exact test says so. That it
    holds for every distribution is conjectured and not proved: benchmarks/parity.py measures it. It is
    cautious by about (mean - floor) / n where rows scatter little."""
    import numpy as np

    found, counts = np.unique(values, return_counts=True)
    if found.size == 1:  # no scatter: the weight of the worst row alone, which is Beta(1, n)
        return _shift(float(found[0]), floor, (1 - confidence) ** (1 / values.size))
    points = np.append(found, floor)
    shapes = np.append(counts, 1).astype(np.float64)  # equal values share one Gamma(count) weight
    means = []
    step = max(1, BLOCK_ELEMENTS // points.size)
    for start in range(0, draws, step):
        weights = rng.standard_gamma(shapes, size=(min(step, draws - start), points.size))
        means.append(weights @ points / weights.sum(axis=1))
    return float(np.quantile(np.concatenate(means), 1 - confidence))


def share_at_least(successes: int, n: int, *, confidence: float) -> float:
    """Clopper and Pearson's exact lower bound of a share (1934): p with P(X >= successes) = 1 - confidence
    for X ~ Binomial(n, p)."""
    if successes == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_least(successes, n, middle) > 1 - confidence:
            high = middle
        else:
            low = middle
    return low


def rows_without_loss(margin: float, confidence: float) -> int:
    """The fewest rows that can show a mean loss below `margin`, even if none of them loses anything: all n
    miss a share `margin` of rows that lose all with probability (1 - margin)^n."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - margin) - 1e-9)


def _shift(value: float, floor: float, kept: float) -> float:
    return floor + (value - floor) * kept


def _at_least(successes: int, n: int, share: float) -> float:
    """P(X >= successes) for X ~ Binomial(n, share), 0 < share < 1."""
    odds = math.log(share) - math.log1p(-share)
    first = n * math.log1p(-share) + math.lgamma(n + 1)
    return math.fsum(
        math.exp(first + k * odds - math.lgamma(k + 1) - math.lgamma(n - k + 1))
        for k in range(successes, n + 1)
    )
