"""Bounds of macro F1: by hand where they are known, by brute force where they are a minimum."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from finewright.judge.bounds import share_at_least
from finewright.judge.macro_bounds import (
    Truth,
    _least,
    macro_f1_difference,
    macro_f1_interval,
)

FEW = {"confidence": 0.95, "resamples": 4000, "seed": 0}


def labels(*counts: int) -> Truth:
    return Truth(np.repeat(np.arange(len(counts)), counts), len(counts))


@pytest.mark.parametrize("num_labels", [1, 2, 5])
def test_all_right_is_near_the_exact_bound_of_the_accuracy_and_no_point(num_labels: int) -> None:
    truth = labels(*[40 // num_labels] * num_labels)
    low, high = macro_f1_interval(truth.expected, truth, **FEW)
    exact = share_at_least(40, 40, confidence=0.975)
    assert high == pytest.approx(1)
    assert exact - 0.03 < low <= exact + 0.005


def test_all_wrong_is_no_point_either() -> None:
    truth = labels(20, 20)
    low, high = macro_f1_interval(np.full(40, 2), truth, **FEW)
    assert low == 0
    assert 0.05 < high < 0.25


def test_a_rare_label_makes_the_bound_wide() -> None:
    (rare, _), (even, _) = (
        macro_f1_interval(truth.expected, truth, **FEW) for truth in (labels(57, 3), labels(30, 30))
    )
    assert rare < 0.8 < even


def test_more_rows_make_it_narrower_around_the_score() -> None:
    widths = []
    for times in (1, 4, 16):
        truth = labels(10 * times, 10 * times)
        answers = truth.expected.copy()
        answers[: 2 * times] = 1  # F1 of 16/18 and 20/22
        low, high = macro_f1_interval(answers, truth, **FEW)
        assert low < (16 / 18 + 20 / 22) / 2 < high
        widths.append(high - low)
    assert all(wide > 1.5 * narrow for wide, narrow in pairwise(widths))


def test_a_difference_of_the_same_answers_is_around_zero_and_of_opposite_ones_is_not() -> None:
    truth = labels(20, 20)
    low, high = macro_f1_difference(truth.expected, truth.expected, truth, **FEW)
    assert low == pytest.approx(-high)
    assert 0.02 < high < 0.15
    wrong = 1 - truth.expected
    low, high = macro_f1_difference(truth.expected, wrong, truth, **FEW)
    assert 0.7 < low < high <= 1
    swapped = macro_f1_difference(wrong, truth.expected, truth, **FEW)
    assert swapped == pytest.approx((-high, -low))


def test_the_least_mean_is_that_of_a_search() -> None:
    rng = np.random.default_rng(0)
    parts = rng.uniform(0, 1, (20, 3))
    wholes = parts + rng.uniform(0, 1, (20, 3))
    more = rng.uniform(0, 1, 20)
    parts[:5, 0] = 0
    found = _least(parts, wholes, more)
    shares = rng.dirichlet([1, 1, 1], size=40_000)
    for i in range(20):
        searched = (parts[i] / (wholes[i] + more[i] * shares)).mean(axis=1).min()
        assert found[i] <= searched + 1e-12
        assert found[i] == pytest.approx(searched, abs=2e-3)


def test_the_same_seed_gives_the_same_bounds() -> None:
    truth = labels(5, 5)
    once, again = (macro_f1_interval(truth.expected, truth, **FEW) for _ in range(2))
    assert once == again


def test_as_many_labels_as_rows_take_no_square_of_memory() -> None:
    truth = labels(*[1] * 4000)
    tracemalloc.start()
    macro_f1_interval(truth.expected, truth, confidence=0.95, resamples=100, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 4000**2 / 2  # half of what a square of them would be
