"""Intervals and paired tests for scores of a finite set of rows; everything is seeded.

Resamples are drawn in blocks of bounded size, so memory does not grow with their number. The block
size depends on nothing but the number of rows: the same seed gives the same numbers.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from finewright.judge.bounds import mean_at_least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]
    Floats = NDArray[np.float64]
    Statistic = Callable[[Indices], float]

BLOCK_ELEMENTS = 1 << 19
"""Indices drawn at once: 4 MiB of them, and as much again for the values they pick."""
_MOST_EXACT = 20
"""Differing rows whose signs are counted out: 2^19 sums, 4 MiB."""


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


def mean_interval(
    values: Sequence[float], *, confidence: float, resamples: int, seed: int
) -> Interval:
    """The interval of a mean of scores in [0, 1]: Wilson's if every one is 0 or 1, else both one-sided bounds
    of `mean_at_least`.

    Wilson's covers as promised on average over shares. The other is wider than a bootstrap's and covers at
    least what it promises (benchmarks/parity.py), also where few rows hold all the scatter."""
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    _require_rows(data.size)
    if _is_binary(data):
        return wilson(int(data.sum()), data.size, confidence=confidence)
    return _bound_statistic(data, (0.0, 1.0), confidence, resamples, np.random.default_rng(seed))


def bootstrap_statistic(
    n: int, statistic: Statistic, *, confidence: float, resamples: int, seed: int
) -> Interval:
    """The percentile bootstrap interval of any statistic of n rows, given the rows' indices.

    Collapses to a point if the statistic is the same on every resample, so it is none for a score that may be
    perfect."""
    import numpy as np

    _require_rows(n)
    rng = np.random.default_rng(seed)
    drawn = [statistic(rows) for block in _index_blocks(n, resamples, rng) for rows in block]
    return _percentiles(np.array(drawn), confidence)


def compare_pairs(
    a: Sequence[float], b: Sequence[float], *, confidence: float, resamples: int, seed: int
) -> PairedDifference:
    """The mean of a - b over the same rows, of scores in [0, 1]: interval and two-sided p-value.

    The interval is both one-sided bounds of `mean_at_least`. p-value: McNemar's exact test where all scores
    are 0 or 1, else `sign_flip`. The interval is the more cautious of the two for scores in between, so it
    may hold 0 where p is small."""
    import numpy as np

    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    _require_pairs(ours.size, theirs.size)
    differences = ours - theirs
    rng = np.random.default_rng(seed)
    low, high = _bound_statistic(differences, (-1.0, 1.0), confidence, resamples, rng)
    if _is_binary(ours) and _is_binary(theirs):
        p_value = mcnemar(int((differences > 0).sum()), int((differences < 0).sum()))
    else:
        p_value = sign_flip(differences.tolist(), resamples=resamples, seed=seed)
    return PairedDifference(float(differences.mean()), low, high, p_value, ours.size)


def mean_difference_at_least(
    a: Sequence[float], b: Sequence[float], *, confidence: float, resamples: int, seed: int
) -> float:
    """The one-sided lower bound of the mean of a - b over the same rows, of scores in [0, 1]."""
    import numpy as np

    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    _require_pairs(ours.size, theirs.size)
    rng = np.random.default_rng(seed)
    return mean_at_least(ours - theirs, floor=-1.0, confidence=confidence, draws=resamples, rng=rng)


def compare_statistic(
    n: int,
    statistic: Statistic,
    *,
    apart: Sequence[int] | None = None,
    confidence: float,
    resamples: int,
    seed: int,
) -> PairedDifference:
    """The paired difference of a statistic that is no mean of rows (macro F1, perplexity).

    `statistic` sees 2n pooled rows: i is the first system's row i and n + i the second's. `apart` names the
    rows on which the two are not the same (all, where it is not given). Interval: bootstrap of the pairs.
    p-value: randomisation, which swaps the two systems row by row (Noreen 1989; Yeh 2000): all swaps of the
    rows apart where they are no more than `resamples`, else (k + 1) / (m + 1) of so many at random."""
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
    rows = first if apart is None else np.asarray(apart, dtype=np.intp)
    is_exact = 1 << min(rows.size, _MOST_EXACT) <= resamples
    coins = [_all_coins(rows.size)] if is_exact else _coin_blocks(rows.size, resamples, rng)
    swapped = []
    for block in coins:
        for coin in block:
            swap = np.zeros(n, dtype=np.intp)
            swap[rows] = coin
            swapped.append(statistic(first + n * swap) - statistic(first + n * (1 - swap)))
    low, high = _percentiles(np.array(drawn), confidence)
    p_value = _p_value(np.array(swapped), observed, is_exact=is_exact)
    return PairedDifference(observed, low, high, p_value, n)


def mcnemar(won: int, lost: int) -> float:
    """McNemar's exact two-sided p-value, from the rows that only one of two systems got right.

    min(1, 2 P(X <= min(won, lost))) for X ~ Binomial(won + lost, 1/2). McNemar 1947."""
    discordant = won + lost
    term = tail = 1
    for k in range(min(won, lost)):
        term = term * (discordant - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << discordant))


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


def sign_flip(differences: Sequence[float], *, resamples: int, seed: int) -> float:
    """Fisher's randomisation test, two-sided: under no difference each row's sign is a fair coin.

    Rows without a difference do not matter. Up to 20 others are counted out, all 2^k signs; more are
    sampled, (k + 1) / (m + 1)."""
    import numpy as np

    data = np.asarray(differences, dtype=np.float64)
    observed = float(data.sum())
    apart = data[data != 0]
    if apart.size <= _MOST_EXACT:
        sums = np.zeros(1)
        for difference in apart[1:]:
            sums = np.concatenate([sums + difference, sums - difference])
        # The first one's sign may stay: all signs turned give the same distance from 0.
        return _p_value(sums + apart[:1].sum(), observed, is_exact=True)
    rng = np.random.default_rng(seed)
    sampled = [(1 - 2 * coins) @ apart for coins in _coin_blocks(apart.size, resamples, rng)]
    return _p_value(np.concatenate(sampled), observed, is_exact=False)


def _p_value(permuted: Floats, observed: float, *, is_exact: bool) -> float:
    """The share of all permutations at least as far from 0; of m sampled ones (k + 1) / (m + 1), which is
    never 0 (Phipson & Smyth 2010).

    The tolerance keeps sums that are equal but for rounding on the cautious side."""
    import numpy as np

    at_least = np.abs(permuted) >= abs(observed) * (1 - 1e-9) - 1e-12
    unseen = 0 if is_exact else 1
    return float((at_least.sum() + unseen) / (permuted.size + unseen))


def _bound_statistic(
    data: Floats,
    limits: tuple[float, float],
    confidence: float,
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """Both one-sided bounds of a mean, each with half of what may go wrong."""
    floor, ceiling = limits
    if data.min() < floor or data.max() > ceiling:
        raise ValueError(f"values outside {floor:g} to {ceiling:g} have no such interval")
    sided = (1 + confidence) / 2
    low = mean_at_least(data, floor=floor, confidence=sided, draws=draws, rng=rng)
    high = -mean_at_least(-data, floor=-ceiling, confidence=sided, draws=draws, rng=rng)
    return Interval(low, high)


def _index_blocks(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Indices]:
    import numpy as np

    for size in _block_sizes(n, resamples):
        yield rng.integers(0, n, size=(size, n), dtype=np.intp)


def _coin_blocks(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Indices]:
    import numpy as np

    for size in _block_sizes(n, resamples):
        yield rng.integers(0, 2, size=(size, n), dtype=np.intp)


def _all_coins(n: int) -> Indices:
    """Every row of n coins, 2^n of them."""
    import numpy as np

    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1


def _block_sizes(n: int, resamples: int) -> Iterator[int]:
    step = max(1, BLOCK_ELEMENTS // max(1, n))
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
