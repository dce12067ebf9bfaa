"""Intervals of macro F1 that hold on few rows, and do not shrink to a point where every answer is right.

Macro F1 is the mean over labels of 2 hits / (expected + answered). It is no mean over rows, so that
`bounds.mean_at_least` does not apply; its idea does (Gaffke 2005): the rows are weighed at random, D ~
Dirichlet(1, ..., 1), together with one more row of which only the worst is assumed. Of weight e, it may add e
to what is expected and e to what is answered, of whichever labels hurt most:

    low = the (1 - confidence) / 2 quantile over D of min 1/L sum_c a_c / (b_c + x_c), x >= 0, sum_c x_c = 2e

    a_c = 2 hits, b_c = expected + answered, by weight. At the minimum b_c + x_c = k sqrt(a_c) for all labels
    that are touched. The upper bound is the same of misses: 1 - F1 = m / b, m = b - a, one more row right.

F1 bends, so a sample of few rows a label has a lower one than the population, and the draws have one lower
still. By how much shows the bias (Efron & Tibshirani 1993, chapter 10); the end that it hides is moved out
by twice as much.

With every answer right and labels of equal weight it is near Clopper and Pearson's bound of the accuracy.
That it covers is measured (benchmarks/macro_f1.py) and not proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from finewright.judge.statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

BLOCK_ELEMENTS = 1 << 18


class Truth(NamedTuple):
    """The right label of each row, as codes below `num_labels`; an answer of that code is no label."""

    expected: Codes
    num_labels: int


class _Drawn(NamedTuple):
    """Weights of a block of draws: of the row more (B,), and of each label (B, L)."""

    extra: Floats
    hits: Floats
    both: Floats

    @property
    def score(self) -> Floats:
        """Macro F1 by weight, without the row more, (B,)."""
        found: Floats = (2 * self.hits / self.both).mean(axis=1)
        return found


def macro_f1_interval(
    answers: Codes, truth: Truth, *, confidence: float, resamples: int, seed: int
) -> Interval:
    """Both bounds of macro F1."""
    found = _Bounds([], [], [])
    for (drawn,) in _blocks([answers], truth, resamples, seed):
        found.add(_worst(drawn), _best(drawn), drawn.score)
    return found.interval(_macro_f1(answers, truth), (0.0, 1.0), confidence)


def macro_f1_difference(
    ours: Codes,
    theirs: Codes,
    truth: Truth,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """Both bounds of one system's macro F1 minus another's on the same rows: the row more spoils the one and
    serves the other."""
    found = _Bounds([], [], [])
    for mine, other in _blocks([ours, theirs], truth, resamples, seed):
        low, high = _worst(mine) - _best(other), _best(mine) - _worst(other)
        found.add(low, high, mine.score - other.score)
    observed = _macro_f1(ours, truth) - _macro_f1(theirs, truth)
    return found.interval(observed, (-1.0, 1.0), confidence)


class _Bounds(NamedTuple):
    """The bounds of each draw, and its score without the row more."""

    lows: list[Floats]
    highs: list[Floats]
    scores: list[Floats]

    def add(self, low: Floats, high: Floats, score: Floats) -> None:
        self.lows.append(low)
        self.highs.append(high)
        self.scores.append(score)

    def interval(self, observed: float, limits: tuple[float, float], confidence: float) -> Interval:
        import numpy as np

        tail = (1 - confidence) / 2
        bias = observed - float(np.concatenate(self.scores).mean())
        low = float(np.quantile(np.concatenate(self.lows), tail)) + min(0.0, 2 * bias)
        high = float(np.quantile(np.concatenate(self.highs), 1 - tail)) + max(0.0, 2 * bias)
        return Interval(max(low, limits[0]), min(high, limits[1]))


def _macro_f1(answers: Codes, truth: Truth) -> float:
    import numpy as np

    expected = np.bincount(truth.expected, minlength=truth.num_labels)
    said = np.bincount(answers, minlength=truth.num_labels)[: truth.num_labels]
    hits = np.bincount(answers[answers == truth.expected], minlength=truth.num_labels)
    return float((2 * hits[: truth.num_labels] / (expected + said)).mean())


def _blocks(
    systems: list[Codes], truth: Truth, resamples: int, seed: int
) -> Iterator[list[_Drawn]]:
    """The same weights for every system, block by block; rows that are alike share one."""
    import numpy as np

    codes = np.stack([truth.expected, *systems], 1)
    rows, counts = np.unique(codes, axis=0, return_counts=True)
    shapes = np.append(counts, 1).astype(np.float64)
    expected, *given = rows.T
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK_ELEMENTS // max(shapes.size, truth.num_labels))
    for start in range(0, resamples, step):
        weights = rng.standard_gamma(shapes, size=(min(step, resamples - start), shapes.size))
        weights /= weights.sum(axis=1, keepdims=True)
        of_rows, extra = weights[:, :-1], weights[:, -1]
        right = _by_label(of_rows, expected, truth.num_labels)
        yield [
            _Drawn(
                extra,
                _by_label(
                    of_rows, np.where(said == expected, said, truth.num_labels), truth.num_labels
                ),
                right + _by_label(of_rows, said, truth.num_labels),
            )
            for said in given
        ]


def _by_label(weights: Floats, codes: Codes, num_labels: int) -> Floats:
    """The weights (B, R) of each label's rows together, (B, L); a code that is no label counts nowhere."""
    import numpy as np

    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    sums = np.zeros((len(weights), num_labels + 1))
    sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums[:, :num_labels]


def _worst(drawn: _Drawn) -> Floats:
    return _least(2 * drawn.hits, drawn.both, 2 * drawn.extra)


def _best(drawn: _Drawn) -> Floats:
    return 1 - _least(drawn.both - 2 * drawn.hits, drawn.both, 2 * drawn.extra)


def _least(parts: Floats, wholes: Floats, more: Floats) -> Floats:
    """The least mean of parts / (wholes + x) with x >= 0 and sum x = more, for each row of (B, L).

    Labels are touched in the order of wholes / sqrt(parts); with j of them k = (sum of their wholes + more) /
    (sum of their sqrt(parts)), and the right j is the last whose own ratio is below its k."""
    import numpy as np

    roots = np.sqrt(np.maximum(parts, 0.0))
    ratios = np.divide(wholes, roots, out=np.full_like(wholes, np.inf), where=roots > 0)
    order = np.argsort(ratios, axis=1)
    sorted_roots = np.take_along_axis(roots, order, 1)
    sorted_wholes = np.take_along_axis(wholes, order, 1)
    sums = np.cumsum(sorted_roots, axis=1)
    levels = np.divide(
        np.cumsum(sorted_wholes, axis=1) + more[:, None],
        sums,
        out=np.zeros_like(sums),
        where=sums > 0,
    )
    touched = np.take_along_axis(ratios, order, 1) < levels
    last = np.maximum(touched.sum(axis=1) - 1, 0)
    level = np.take_along_axis(levels, last[:, None], 1)
    filled = np.where(touched, level * sorted_roots, sorted_wholes)
    means: Floats = (np.take_along_axis(parts, order, 1) / filled).mean(axis=1)
    return means
