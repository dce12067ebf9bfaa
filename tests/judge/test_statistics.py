"""Intervals and tests against scipy, enumeration, hand-computed constants and simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from finewright.judge import statistics
from finewright.judge.statistics import (
    bootstrap_mean,
    bootstrap_statistic,
    mcnemar,
    paired_difference,
    paired_statistic,
    wilson,
)

HOW = {"confidence": 0.95, "resamples": 1000, "seed": 0}


def test_wilson_does_not_collapse_at_zero() -> None:
    z_squared = 1.959963984540054**2
    assert wilson(0, 10, confidence=0.95) == pytest.approx((0.0, z_squared / (10 + z_squared)))
    assert wilson(0, 10, confidence=0.95).low == 0.0


def test_wilson_does_not_collapse_at_one() -> None:
    low, high = wilson(10, 10, confidence=0.95)
    assert low == pytest.approx(0.7224672001371107)
    assert high == 1.0


@given(st.integers(1, 300), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=60, deadline=None)
def test_wilson_agrees_with_scipy(n: int, data: st.DataObject, confidence: float) -> None:
    k = data.draw(st.integers(0, n))
    reference = binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert wilson(k, n, confidence=confidence) == pytest.approx(
        (reference.low, reference.high), abs=1e-12
    )


def test_a_mean_of_zeros_and_ones_gets_wilsons_interval() -> None:
    values = [1.0] * 36 + [0.0] * 14
    assert bootstrap_mean(values, **HOW) == wilson(36, 50, confidence=0.95)
    assert bootstrap_mean([1.0], **HOW).low == pytest.approx(0.2065493143772375)


def test_a_bootstrap_interval_is_close_to_the_normal_one_for_a_tame_sample() -> None:
    values = np.random.default_rng(1).uniform(size=400)
    half = 1.96 * values.std() / 20
    low, high = bootstrap_mean(list(values), confidence=0.95, resamples=4000, seed=3)
    assert low == pytest.approx(values.mean() - half, abs=0.004)
    assert high == pytest.approx(values.mean() + half, abs=0.004)


def test_a_95_percent_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for trial in range(300):
        low, high = bootstrap_mean(
            rng.beta(2, 5, size=60), confidence=0.95, resamples=300, seed=trial
        )
        covered += low <= 2 / 7 <= high
    assert 0.91 <= covered / 300 <= 0.98


def test_one_row_is_enough() -> None:
    assert bootstrap_mean([0.3], **HOW) == pytest.approx((0.3, 0.3))
    assert paired_difference([0.7], [0.3], **HOW).value == pytest.approx(0.4)
    assert bootstrap_statistic(1, lambda rows: float(rows.sum()), **HOW) == (0.0, 0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(0, 0, confidence=0.95),
        lambda: bootstrap_mean([], **HOW),
        lambda: bootstrap_statistic(0, lambda rows: 0.0, **HOW),
        lambda: paired_difference([], [], **HOW),
        lambda: paired_statistic(0, lambda rows: 0.0, **HOW),
    ],
)
def test_no_rows_is_a_clear_error(call) -> None:
    with pytest.raises(ValueError, match="no rows"):
        call()


def test_rows_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="2 against 1"):
        paired_difference([1.0, 0.0], [1.0], **HOW)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    values = list(np.random.default_rng(0).uniform(size=30))
    first = bootstrap_mean(values, **HOW)
    assert bootstrap_mean(values, **HOW) == first
    assert bootstrap_mean(values, **{**HOW, "seed": 1}) != first


def test_drawing_in_blocks_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(0).uniform(size=30))
    whole = bootstrap_mean(values, **HOW)
    monkeypatch.setattr(statistics, "BLOCK_ELEMENTS", 70)
    assert bootstrap_mean(values, **HOW) == whole


def test_a_statistic_that_is_the_mean_gets_the_interval_of_the_mean() -> None:
    values = np.random.default_rng(2).uniform(size=40)
    assert bootstrap_statistic(40, lambda rows: values[rows].mean(), **HOW) == pytest.approx(
        bootstrap_mean(values, **HOW)
    )


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_mcnemar_is_the_two_sided_binomial_test(won: int, lost: int) -> None:
    reference = binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(reference)


def test_mcnemar_stands_thousands_of_rows() -> None:
    assert mcnemar(5200, 4800) == pytest.approx(binomtest(5200, 10_000).pvalue)
    assert mcnemar(20_000, 0) == 0.0


def test_a_paired_difference_of_right_and_wrong_uses_mcnemar() -> None:
    tuned = [1.0] * 9 + [0.0] + [1.0] * 10
    base = [0.0] * 9 + [1.0] + [1.0] * 10
    found = paired_difference(tuned, base, **HOW)
    assert found.value == pytest.approx(0.4)
    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert found.low < 0.4 < found.high
    assert found.n == 20


def test_a_paired_interval_does_not_collapse_when_every_row_is_a_gain() -> None:
    found = paired_difference([1.0] * 10, [0.0] * 10, **HOW)
    assert 0.4 < found.low < 0.9
    assert found.high == 1.0


def test_the_collapsed_paired_interval_is_bonett_and_prices() -> None:
    found = paired_difference([1.0] * 10, [1.0] * 10, **HOW)
    half = 1.959963984540054 * math.sqrt((1 / 12 + 1 / 12) / 12)
    assert (found.low, found.high) == pytest.approx((-half, half))
    assert found.p_value == 1.0


def test_the_sign_flip_test_agrees_with_all_sign_flips() -> None:
    differences = np.array([0.3, -0.1, 0.25, 0.4, 0.05, -0.2, 0.35, 0.15])
    flips = np.array(list(itertools.product([1, -1], repeat=8))) @ differences
    exact = np.mean(np.abs(flips) >= differences.sum() - 1e-12)
    found = paired_difference(
        list(differences + 0.5), [0.5] * 8, confidence=0.95, resamples=20_000, seed=0
    )
    assert found.p_value == pytest.approx(exact, abs=0.01)


def test_equal_systems_differ_by_nothing() -> None:
    same = [0.1, 0.5, 0.9]
    assert paired_difference(same, same, **HOW) == (0.0, 0.0, 0.0, 1.0, 3)


def test_a_p_value_from_permutations_is_never_zero() -> None:
    found = paired_difference([0.9] * 60, [0.1] * 60, **HOW)
    assert found.p_value == 1 / 1001


def test_under_no_difference_p_values_are_small_as_rarely_as_they_claim() -> None:
    rng = np.random.default_rng(5)
    small = sum(
        paired_difference(
            rng.uniform(size=25), rng.uniform(size=25), confidence=0.9, resamples=200, seed=trial
        ).p_value
        <= 0.1
        for trial in range(300)
    )
    assert 0.05 <= small / 300 <= 0.15


def test_a_paired_statistic_that_is_the_mean_agrees_with_the_paired_difference() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.uniform(size=50), rng.uniform(size=50) - 0.05
    pooled = np.concatenate([a, b])
    found = paired_statistic(50, lambda rows: float(pooled[rows].mean()), **HOW)
    reference = paired_difference(a, b, **HOW)
    assert found[:3] == pytest.approx(reference[:3])
    assert found.p_value == pytest.approx(reference.p_value, abs=0.05)
