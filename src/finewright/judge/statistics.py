"""Intervals and paired tests for scores of a finite set of rows; everything is seeded.

Resamples are drawn in blocks of bounded size, so memory does not grow with their number. The block
size depends on nothing but the number of rows: the same seed gives the same numbers.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]
    Floats = NDArray[np.float64]
    Statistic = Callable[[Indices], float]

BLOCK_ELEMENTS = 1 << 19
"""Indices drawn at once: 4 MiB of them, and as much again for the values they pick."""


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


class PairedDifference(NamedTuple):
    """A difference on the same rows, its interval, and the two-sided p-value of "none"."""

    value: float
    low: float
    high: float
    p_value: float
    n: int


def wilson(successes: int, n: int, *, confidence: float) -> Interval:
    """Wilson's score interval for a share; it keeps its width at 0 % and at 100 %.

    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). Wilson 1927; recommended for any n
    by Agresti & Coull 1998."""
    _require_rows(n)
    z = _normal_quantile(confidence)
    share, spread = successes / n, z * z / n
    half = z * (share * (1 - share) / n + spread / (4 * n)) ** 0.5
    low = 0.0 if successes == 0 else (share + spread / 2 - half) / (1 + spread)
    high = 1.0 if successes == n else (share + spread / 2 + half) / (1 + spread)
    return Interval(low, high)


def bootstrap_mean(
    values: Sequence[float], *, confidence: float, resamples: int, seed: int
) -> Interval:
    """The percentile bootstrap interval of a mean (Efron 1979); Wilson's if every value is 0 or 1.

    The bootstrap of a 0/1 sample collapses to a point at 0 % and 100 %. It still does for other
    values that are all the same, and is somewhat narrow below about 20 rows."""
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    _require_rows(data.size)
    if _is_binary(data):
        return wilson(int(data.sum()), data.size, confidence=confidence)
    rng = np.random.default_rng(seed)
    return _percentiles(_resampled_means(data, resamples, rng), confidence)


def bootstrap_statistic(
    n: int, statistic: Statistic, *, confidence: float, resamples: int, seed: int
) -> Interval:
    """The percentile bootstrap interval of any statistic of n rows, given the rows' indices.

    Collapses to a point if the statistic is the same on every resample (a perfect macro F1)."""
    import numpy as np

    _require_rows(n)
    rng = np.random.default_rng(seed)
    drawn = [statistic(rows) for block in _index_blocks(n, resamples, rng) for rows in block]
    return _percentiles(np.array(drawn), confidence)


def paired_difference(
    a: Sequence[float], b: Sequence[float], *, confidence: float, resamples: int, seed: int
) -> PairedDifference:
    """The mean of a - b over the same rows: bootstrap interval, and an exact or seeded p-value.

    0/1 values: McNemar's exact test, and the interval of Bonett & Price where every row differs
    by the same amount and the bootstrap collapses. Other values: a sign-flip permutation test."""
    import numpy as np

    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    _require_pairs(ours.size, theirs.size)
    differences = ours - theirs
    binary = _is_binary(ours) and _is_binary(theirs)
    won, lost = int((differences > 0).sum()), int((differences < 0).sum())
    rng = np.random.default_rng(seed)
    if binary and np.ptp(differences) == 0:
        low, high = bonett_price(won, lost, ours.size, confidence)
    else:
        low, high = _percentiles(_resampled_means(differences, resamples, rng), confidence)
    p_value = mcnemar(won, lost) if binary else _sign_flip(differences, resamples, rng)
    return PairedDifference(float(differences.mean()), low, high, p_value, ours.size)


def paired_statistic(
    n: int, statistic: Statistic, *, confidence: float, resamples: int, seed: int
) -> PairedDifference:
    """The paired difference of a statistic that is no mean of rows (macro F1, perplexity).

    `statistic` sees 2n pooled rows: i is the first system's row i and n + i the second's. Interval:
    bootstrap of the pairs. p-value: approximate randomisation, which swaps the two systems row by
    row (Noreen 1989; Yeh 2000), (k + 1) / (m + 1)."""
    import numpy as np

    _require_rows(n)
    rng = np.random.default_rng(seed)
    first = np.arange(n)
    drawn = [
        statistic(rows) - statistic(rows + n)
        for block in _index_blocks(n, resamples, rng)
        for rows in block
    ]
    observed = statistic(first) - statistic(first + n)
    swapped = [
        statistic(first + n * swap) - statistic(first + n * (1 - swap))
        for block in _coin_blocks(n, resamples, rng)
        for swap in block
    ]
    low, high = _percentiles(np.array(drawn), confidence)
    return PairedDifference(observed, low, high, _p_value(np.array(swapped), observed), n)


def mcnemar(won: int, lost: int) -> float:
    """McNemar's exact two-sided p-value, from the rows that only one of two systems got right.

    min(1, 2 P(X <= min(won, lost))) for X ~ Binomial(won + lost, 1/2). McNemar 1947."""
    discordant = won + lost
    term = tail = 1
    for k in range(min(won, lost)):
        term = term * (discordant - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << discordant))


def bonett_price(won: int, lost: int, n: int, confidence: float) -> Interval:
    """Adjusted Wald interval of a paired difference of shares: one more win, one more loss.

    Bonett & Price 2012, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data"."""
    better, worse = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    centre = better - worse
    half = _normal_quantile(confidence) * ((better + worse - centre**2) / (n + 2)) ** 0.5
    return Interval(max(-1.0, centre - half), min(1.0, centre + half))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of a family of tests, adjusted so that one false claim among them all stays unlikely.

    In ascending order p_i' = max(p_{i-1}', min(1, (m - i + 1) p_i)), i from 1 to m (Holm 1979); given back
    in the order of the input. Holds however the tests depend on each other."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted


def _sign_flip(differences: Floats, resamples: int, rng: np.random.Generator) -> float:
    """Fisher's randomisation test: under no difference each row's sign is a fair coin."""
    import numpy as np

    sums = [
        (1 - 2 * coins) @ differences for coins in _coin_blocks(differences.size, resamples, rng)
    ]
    return _p_value(np.concatenate(sums), float(differences.sum()))


def _p_value(permuted: Floats, observed: float) -> float:
    """(k + 1) / (m + 1), k permutations at least as far from 0; never 0 (Phipson & Smyth 2010).

    The tolerance keeps sums that are equal but for rounding on the cautious side."""
    import numpy as np

    at_least = np.abs(permuted) >= abs(observed) * (1 - 1e-9) - 1e-12
    return float((at_least.sum() + 1) / (permuted.size + 1))


def _resampled_means(data: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    import numpy as np

    return np.concatenate(
        [data[block].mean(axis=1) for block in _index_blocks(data.size, resamples, rng)]
    )


def _index_blocks(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Indices]:
    import numpy as np

    for size in _block_sizes(n, resamples):
        yield rng.integers(0, n, size=(size, n), dtype=np.intp)


def _coin_blocks(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Indices]:
    import numpy as np

    for size in _block_sizes(n, resamples):
        yield rng.integers(0, 2, size=(size, n), dtype=np.intp)


def _block_sizes(n: int, resamples: int) -> Iterator[int]:
    step = max(1, BLOCK_ELEMENTS // n)
    for start in range(0, resamples, step):
        yield min(step, resamples - start)


def _percentiles(drawn: Floats, confidence: float) -> Interval:
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _is_binary(data: Floats) -> bool:
    return bool(((data == 0) | (data == 1)).all())


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _require_rows(n: int) -> None:
    if n < 1:
        raise ValueError("no rows: an interval needs at least one")


def _require_pairs(ours: int, theirs: int) -> None:
    if ours != theirs:
        raise ValueError(f"a paired difference needs the same rows: {ours} against {theirs}")
    _require_rows(ours)
