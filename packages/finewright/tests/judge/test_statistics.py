"""Intervals and tests against scipy, enumeration, hand-computed constants and simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from finewright.judge import statistics
from finewright.judge.statistics import (
    bootstrap_statistic,
    compare_pairs,
    compare_statistic,
    mcnemar,
    mean_interval,
    sign_flip,
    wilson,
)

HOW = {"confidence": 0.95, "resamples": 1000, "seed": 0}


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
    assert mean_interval(values, **HOW) == wilson(36, 50, confidence=0.95)
    assert mean_interval([1.0], **HOW).low == pytest.approx(0.2065493143772375)


def test_an_interval_is_close_to_the_normal_one_for_a_tame_sample() -> None:
    values = np.random.default_rng(1).uniform(size=400)
    half = 1.96 * values.std() / 20
    low, high = mean_interval(list(values), confidence=0.95, resamples=4000, seed=3)
    assert low == pytest.approx(values.mean() - half, abs=0.006)
    assert high == pytest.approx(values.mean() + half, abs=0.006)


def skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Most scores are near 1 and one in twenty is 0; the mean is 0.95 * 30 / 31."""
    return np.where(rng.random(n) < 0.05, 0.0, rng.beta(30, 1, size=n))


@pytest.mark.parametrize(
    ("draw", "mean"),
    [(lambda rng, n: rng.beta(2, 5, size=n), 2 / 7), (skewed, 0.95 * 30 / 31)],
    ids=["beta", "skewed"],
)
@pytest.mark.parametrize("n", [20, 60])
def test_a_95_percent_interval_covers_the_truth_at_least_so_often(draw, mean, n) -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for trial in range(300):
        low, high = mean_interval(draw(rng, n), confidence=0.95, resamples=300, seed=trial)
        covered += low <= mean <= high
    assert covered / 300 >= 0.94


def test_one_row_is_enough() -> None:
    # All that one row shows: 0.3 with the weight of Beta(1, 1), and an end of the scale with the rest.
    assert mean_interval([0.3], **HOW) == pytest.approx((0.3 * 0.025, 1 - 0.7 * 0.025))
    assert compare_pairs([0.7], [0.3], **HOW).value == pytest.approx(0.4)
    assert bootstrap_statistic(1, lambda rows: float(rows.sum()), **HOW) == (0.0, 0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(0, 0, confidence=0.95),
        lambda: mean_interval([], **HOW),
        lambda: bootstrap_statistic(0, lambda rows: 0.0, **HOW),
        lambda: compare_pairs([], [], **HOW),
        lambda: compare_statistic(0, lambda rows: 0.0, **HOW),
    ],
)
def test_no_rows_is_a_clear_error(call) -> None:
    with pytest.raises(ValueError, match="no rows"):
        call()


def test_rows_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="2 against 1"):
        compare_pairs([1.0, 0.0], [1.0], **HOW)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    values = list(np.random.default_rng(0).uniform(size=30))
    first = mean_interval(values, **HOW)
    assert mean_interval(values, **HOW) == first
    assert mean_interval(values, **{**HOW, "seed": 1}) != first


def test_drawing_in_blocks_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(0).uniform(size=30))
    whole = mean_interval(values, **HOW)
    monkeypatch.setattr(statistics, "BLOCK_ELEMENTS", 70)
    assert mean_interval(values, **HOW) == whole


def test_a_statistic_that_is_the_mean_gets_the_normal_interval_of_a_tame_mean() -> None:
    values = np.random.default_rng(2).uniform(size=40)
    found = bootstrap_statistic(40, lambda rows: values[rows].mean(), **HOW)
    half = 1.96 * values.std() / 40**0.5
    assert found == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


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
    found = compare_pairs(tuned, base, **HOW)
    assert found.value == pytest.approx(0.4)
    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert found.low < 0.4 < found.high
    assert found.n == 20


def test_a_paired_interval_does_not_collapse_when_every_row_is_a_gain() -> None:
    found = compare_pairs([1.0] * 10, [0.0] * 10, **HOW)
    assert found.low == pytest.approx(2 * 0.025**0.1 - 1)
    assert found.high == 1.0


def test_the_interval_of_rows_that_never_differ_is_what_unseen_rows_could_change() -> None:
    found = compare_pairs([1.0] * 10, [1.0] * 10, **HOW)
    assert (found.low, found.high) == pytest.approx((0.025**0.1 - 1, 1 - 0.025**0.1))
    assert found.p_value == 1.0


@pytest.mark.parametrize(("won", "lost"), [(6, 0), (5, 0), (9, 1), (7, 1), (16, 5), (14, 5)])
def test_an_interval_of_right_and_wrong_holds_zero_where_mcnemar_finds_no_difference(won, lost):
    same = [1.0] * 60
    ours = [*same, *[1.0] * won, *[0.0] * lost]
    theirs = [*same, *[0.0] * won, *[1.0] * lost]
    found = compare_pairs(ours, theirs, confidence=0.95, resamples=20_000, seed=0)
    assert (found.low > 0) == (binomtest(won, won + lost).pvalue < 0.05)


@given(
    st.lists(st.sampled_from([0.0, 0.1, -0.1, 0.25, -0.4, 1.0]), min_size=1, max_size=9),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_few_rows_that_differ_are_counted_out_whatever_the_seed(gaps, seed) -> None:
    flips = np.array(list(itertools.product([1, -1], repeat=len(gaps)))) @ np.array(gaps)
    exact = np.mean(np.abs(flips) >= abs(sum(gaps)) - 1e-9)
    padded = [*gaps, *[0.0] * 200]
    assert sign_flip(padded, resamples=100, seed=seed) == pytest.approx(exact)


def test_equal_steps_have_the_binomial_p_value_up_to_twenty_rows() -> None:
    gaps = [0.3] * 15 + [-0.3] * 5
    assert sign_flip(gaps, resamples=100, seed=0) == pytest.approx(binomtest(15, 20).pvalue)


def test_many_rows_that_differ_are_sampled_close_to_the_exact_value() -> None:
    gaps = [0.3] * 17 + [-0.3] * 8
    exact = binomtest(17, 25).pvalue
    assert sign_flip(gaps, resamples=20_000, seed=0) == pytest.approx(exact, abs=0.01)


def test_swaps_of_few_rows_apart_are_counted_out_whatever_the_seed() -> None:
    ours = np.array([0.9, 0.8, 0.3] + [0.5] * 40)
    theirs = np.array([0.1, 0.2, 0.2] + [0.5] * 40)
    pooled = np.concatenate([ours, theirs])
    found = {
        compare_statistic(
            43,
            lambda rows: float(pooled[rows].mean()),
            apart=[0, 1, 2],
            confidence=0.95,
            resamples=200,
            seed=seed,
        ).p_value
        for seed in range(3)
    }
    assert found == {2 / 8}


def test_equal_systems_differ_by_nothing() -> None:
    same = [0.1, 0.5, 0.9]
    found = compare_pairs(same, same, **HOW)
    assert (found.value, found.p_value, found.n) == (0.0, 1.0, 3)
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / 3) - 1, 1 - 0.025 ** (1 / 3)))


def test_values_that_are_no_scores_have_no_such_interval() -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        mean_interval([0.5, 1.5], **HOW)


def test_a_p_value_from_sampled_permutations_is_never_zero() -> None:
    found = compare_pairs([0.9] * 60, [0.1] * 60, **HOW)
    assert found.p_value == 1 / 1001


def test_under_no_difference_p_values_are_small_as_rarely_as_they_claim() -> None:
    rng = np.random.default_rng(5)
    small = sum(
        compare_pairs(
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
    found = compare_statistic(50, lambda rows: float(pooled[rows].mean()), **HOW)
    reference = compare_pairs(a, b, **HOW)
    assert found.value == pytest.approx(reference.value)
    assert reference.low < found.low < found.high < reference.high
    assert found.p_value == pytest.approx(reference.p_value, abs=0.05)
