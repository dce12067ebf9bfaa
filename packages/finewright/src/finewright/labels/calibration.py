"""Probabilities that mean what they say, sets of labels with a stated coverage, and a test for drift.

Temperature (Guo et al. 2017, arXiv:1706.04599): p = softmax(z / T), T the minimum of the negative
log-likelihood of the calibration rows.
Sets (split conformal prediction, Vovk et al. 2005; with the least ambiguous sets of Sadinle et al. 2019,
arXiv:1609.00451): the labels y with p(y) >= q, q the k-th smallest probability of the right label among n
calibration rows, k = n + 1 - ceil((n + 1) coverage). A new row like these has its label in the set with at
least that probability, whatever the model. Not covered: rows of another kind than the calibration rows, and
a coverage for each label by itself."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.schema.decisions import DecisionSpec, DriftTest, LabelCalibration, ThresholdPoint

Floats = NDArray[np.float64]

_MOST_CONFIDENCES = 1000
_HOTTEST = 1e3  # a temperature beyond tells of logits that say nothing
_HALVINGS = 80  # of the interval of log 1 / T: below the spacing of doubles
NUM_BINS = 15
"""Bins of the calibration error, as in Guo et al. 2017."""
FEWEST_FOR_DRIFT = 50
"""Rows below which the test sees only the grossest drift: the statistic must pass 0.28 for an alarm."""
ALARM_P = 0.001
"""One false alarm in a thousand windows."""


class Parts(NamedTuple):
    """Places of the rows that train, and of those that calibrate."""

    train: list[int]
    calibration: list[int]


def part_rows(labels: Sequence[str], share: float, seed: int) -> Parts:
    """Draw the calibration rows by chance; a label's only row trains.

    The rows of one label are exchangeable with new ones but for that rule."""
    counts = Counter(labels)
    free = [i for i, label in enumerate(labels) if counts[label] > 1]
    order = Random(seed).sample(free, len(free))  # noqa: S311 - a draw, no secret
    drawn: list[int] = []
    left, wanted = dict(counts), round(share * len(labels))
    for i in order:
        if len(drawn) < wanted and left[labels[i]] > 1:
            left[labels[i]] -= 1
            drawn.append(i)
    chosen = set(drawn)
    return Parts([i for i in range(len(labels)) if i not in chosen], sorted(drawn))


def fewest_rows(coverage: float) -> int:
    """The fewest calibration rows from which a set of this coverage can be told: ceil((n + 1) c) <= n."""
    n = math.ceil(coverage / (1 - coverage) - 1e-9)
    while rank_of(n, coverage) < 1:
        n += 1
    return n


def rank_of(num_rows: int, coverage: float) -> int:
    """k of the module's formula; below 1 there are too few rows."""
    # Doubles such as 10 * 0.9 may lie a hair above the whole number.
    return num_rows + 1 - math.ceil((num_rows + 1) * coverage - 1e-9)


def softmax(logits: Floats) -> Floats:
    """Of each row, (n, K)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return found


def fit_temperature(logits: Floats, truth: NDArray[np.int64]) -> float:
    """The temperature, by bisection: the slope of the likelihood in 1 / T is monotone."""
    right = logits[np.arange(len(truth)), truth]

    def slope(inverse: float) -> float:
        return float(((softmax(logits * inverse) * logits).sum(axis=1) - right).mean())

    low, high = -math.log(_HOTTEST), math.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def calibrate(logits: Floats, truth: NDArray[np.int64], spec: DecisionSpec) -> LabelCalibration:
    """Temperature and least probability of a set, from rows that trained nothing."""
    temperature = fit_temperature(logits, truth)
    probabilities = softmax(logits / temperature)
    rank = rank_of(len(truth), spec.coverage)
    assert rank >= 1  # rows are counted before anything trains
    of_truth = np.sort(probabilities[np.arange(len(truth)), truth])
    low, high = coverage_range(len(truth), spec.coverage)
    return LabelCalibration(
        rows=len(truth),
        temperature=temperature,
        coverage=spec.coverage,
        coverage_low=low,
        coverage_high=high,
        set_probability=float(of_truth[rank - 1]),
        threshold=spec.threshold,
        confidences=tuple(thin_out(np.sort(probabilities.max(axis=1)))),
    )


def thin_out(values: Floats) -> Iterator[float]:
    """At most a thousand of the sorted values, evenly spaced by rank."""
    if len(values) > _MOST_CONFIDENCES:
        values = values[np.linspace(0, len(values) - 1, _MOST_CONFIDENCES).round().astype(int)]
    yield from (round(float(value), 6) for value in values)


def coverage_range(num_rows: int, coverage: float) -> tuple[float, float]:
    """Between what the coverage of new rows lies, 95 times of 100, for the calibration rows drawn: it is
    Beta(n + 1 - k, k) (Vovk 2012, arXiv:1209.2673), whose normal approximation this is."""
    rank = rank_of(num_rows, coverage)
    mean = (num_rows + 1 - rank) / (num_rows + 1)
    spread = 1.96 * math.sqrt(mean * (1 - mean) / (num_rows + 2))
    return max(0.0, mean - spread), min(1.0, mean + spread)


def calibration_error(
    confidences: Sequence[float], right: Sequence[bool], num_bins: int = NUM_BINS
) -> float:
    """Expected calibration error: sum over bins of equal width of |B| / n |accuracy(B) - confidence(B)|."""
    said, is_right = np.asarray(confidences), np.asarray(right, dtype=np.float64)
    bins = np.clip(np.ceil(said * num_bins).astype(int) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, said - is_right, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(said))


def threshold_curve(
    confidences: Sequence[float], right: Sequence[bool]
) -> tuple[ThresholdPoint, ...]:
    """Share answered and accuracy at thresholds of 0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95 and 0.99."""
    said, is_right = np.asarray(confidences), np.asarray(right, dtype=np.float64)
    points = []
    for threshold in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99):
        kept = said >= threshold
        accuracy = float(is_right[kept].mean()) if kept.any() else None
        point = ThresholdPoint(threshold=threshold, answered=float(kept.mean()), accuracy=accuracy)
        points.append(point)
    return tuple(points)


def compare_confidences(confidences: Sequence[float], reference: Sequence[float]) -> DriftTest:
    """Two-sample Kolmogorov-Smirnov test of the confidences, which sees shifts of what is asked better than
    most tests of the texts themselves (Rabanser et al. 2019, arXiv:1810.11953); its p-value is asymptotic."""
    one, other = np.sort(np.asarray(confidences)), np.sort(np.asarray(reference))
    both = np.concatenate([one, other])
    below = [np.searchsorted(each, both, side="right") / len(each) for each in (one, other)]
    statistic = float(np.abs(below[0] - below[1]).max())
    p_value = _kolmogorov(statistic * math.sqrt(len(one) * len(other) / len(both)))
    return DriftTest(
        rows=len(one),
        reference_rows=len(other),
        statistic=statistic,
        p_value=p_value,
        alarm=p_value < ALARM_P,
    )


def _kolmogorov(x: float) -> float:
    """P(K > x) of Kolmogorov's distribution."""
    if x < 0.2:  # noqa: PLR2004 - where the sum below converges slowly, and the value is 1 to 12 digits
        return 1.0
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))
