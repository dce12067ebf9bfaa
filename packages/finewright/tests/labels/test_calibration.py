"""Calibration, conformal sets and the test for drift, against hand-computed values and SciPy."""

import numpy as np
import pytest

from finewright.labels.calibration import (
    calibrate,
    calibration_error,
    compare_confidences,
    coverage_range,
    fewest_rows,
    fit_temperature,
    part_rows,
    softmax,
    threshold_curve,
)
from finewright.schema.decisions import DecisionSpec


def make_rows(n: int, seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels are drawn by softmax(logits / scale): `scale` is the right temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 5)) * 2
    truth = np.array([rng.choice(5, p=p) for p in softmax(logits)])
    return logits * scale, truth


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_the_temperature_is_that_of_the_rows(scale: float) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    logits, truth = make_rows(4000, 0, scale)

    def loss(t: float) -> float:
        p = softmax(logits / t)[np.arange(len(truth)), truth]
        return float(-np.log(p).mean())

    theirs = optimize.minimize_scalar(loss, bounds=(0.01, 20), method="bounded").x
    ours = fit_temperature(logits, truth)
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert ours == pytest.approx(scale, rel=0.1)


def test_the_least_probability_of_a_set_is_the_quantile_by_hand() -> None:
    # Nineteen rows and coverage 0.9: k = 20 - ceil(18) = 2, the second smallest probability of the truth.
    right = np.linspace(0.05, 0.95, 19)
    logits = np.log(np.stack([right, 1 - right], axis=1))
    found = calibrate(logits, np.zeros(19, dtype=np.int64), DecisionSpec(coverage=0.9))
    tempered = softmax(logits / found.temperature)[:, 0]
    assert found.set_probability == pytest.approx(sorted(tempered)[1], abs=1e-12)


@pytest.mark.parametrize(("coverage", "rows"), [(0.9, 9), (0.95, 19), (0.99, 99), (0.8, 4)])
def test_the_fewest_rows_are_those_of_the_formula(coverage: float, rows: int) -> None:
    assert fewest_rows(coverage) == rows


def test_sets_cover_as_often_as_stated_over_many_draws() -> None:
    covered = []
    for seed in range(40):
        logits, truth = make_rows(700, seed)
        found = calibrate(logits[:200], truth[:200], DecisionSpec(coverage=0.9))
        probabilities = softmax(logits[200:] / found.temperature)
        covered.append((probabilities[np.arange(500), truth[200:]] >= found.set_probability).mean())
    # E = ceil(201 * 0.9) / 201 = 0.9005; the mean of 40 draws has a deviation of 0.004.
    assert np.mean(covered) == pytest.approx(0.9005, abs=0.012)


def test_the_range_of_the_coverage_is_that_of_the_beta_distribution() -> None:
    stats = pytest.importorskip("scipy.stats")
    k = 1001 - int(np.ceil(1001 * 0.9))
    low, high = stats.beta(1001 - k, k).ppf([0.025, 0.975])
    assert coverage_range(1000, 0.9) == pytest.approx((low, high), abs=0.002)


def test_the_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    # Bin of 0.9: 2 of 4 right, gap 0.4, weight 4/5. Bin of 0.3: 1 of 1 right, gap 0.7, weight 1/5.
    said, right = [0.9, 0.9, 0.9, 0.9, 0.3], [True, True, False, False, True]
    assert calibration_error(said, right) == pytest.approx(0.4 * 0.8 + 0.7 * 0.2)


def test_the_curve_counts_what_is_answered_at_each_threshold() -> None:
    curve = {p.threshold: p for p in threshold_curve([0.4, 0.6, 0.9], [False, True, True])}
    assert (curve[0.0].answered, curve[0.0].accuracy) == (1.0, pytest.approx(2 / 3))
    assert (curve[0.5].answered, curve[0.5].accuracy) == (pytest.approx(2 / 3), 1.0)
    assert curve[0.99].accuracy is None


@pytest.mark.parametrize("shift", [0.0, 0.08, 0.3])
def test_the_drift_test_is_scipys(shift: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    reference, seen = rng.beta(8, 2, 400), np.clip(rng.beta(8, 2, 300) - shift, 0, 1)
    theirs = stats.ks_2samp(seen, reference, method="asymp")
    ours = compare_confidences(list(seen), list(reference))
    assert ours.statistic == pytest.approx(theirs.statistic)
    # SciPy rounds the effective number of rows and takes the distribution of finite n.
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=0.25, abs=1e-6)
    assert ours.alarm == (theirs.pvalue < 0.001) == (shift > 0)


def test_a_part_calibrates_and_a_labels_only_row_trains() -> None:
    labels = ["a"] * 50 + ["b"] * 49 + ["c"]
    parts = part_rows(labels, 0.2, seed=3)
    assert len(parts.calibration) == 20
    assert sorted([*parts.train, *parts.calibration]) == list(range(100))
    assert 99 in parts.train
    assert parts == part_rows(labels, 0.2, seed=3)


@pytest.mark.parametrize(
    ("wrong", "ask", "threshold"), [(2, 1, 0.5), (10, 1, 0.9), (1, 2, 0.0), (4, 1, 0.75)]
)
def test_the_threshold_is_chows(wrong: float, ask: float, threshold: float) -> None:
    # Answering costs wrong * (1 - p), asking costs ask: equal at p = 1 - ask / wrong.
    spec = DecisionSpec(cost_wrong=wrong, cost_ask=ask)
    assert spec.threshold == pytest.approx(threshold)
