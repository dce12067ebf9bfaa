"""Lower bounds of a mean against scipy, closed forms and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from finewright.judge import bounds
from finewright.judge.bounds import mean_at_least, rows_without_loss, share_at_least


def lower(values: list[float], floor: float = 0.0, draws: int = 20_000, seed: int = 0) -> float:
    rng = np.random.default_rng(seed)
    data = np.array(values, dtype=np.float64)
    return mean_at_least(data, floor=floor, confidence=0.95, draws=draws, rng=rng)


@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.8, 0.95, 0.975]))
@settings(max_examples=80, deadline=None)
def test_the_bound_of_a_share_is_scipys(k: int, more: int, confidence: float) -> None:
    n = k + more if k % 3 else max(k, 1)
    reference = binomtest(k, n).proportion_ci(2 * confidence - 1, method="exact").low
    assert share_at_least(k, n, confidence=confidence) == pytest.approx(reference, abs=1e-9)


@pytest.mark.parametrize(("k", "n"), [(3, 20), (19, 20), (45, 60)])
def test_for_zeros_and_ones_the_bound_of_a_mean_is_clopper_and_pearsons(k: int, n: int) -> None:
    assert lower([1.0] * k + [0.0] * (n - k)) == pytest.approx(
        beta.ppf(0.05, k, n - k + 1), abs=0.005
    )


def test_the_bound_of_differences_reckons_with_one_more_row_that_loses_all() -> None:
    assert lower([0.0] * 58, floor=-1.0) == pytest.approx(0.05 ** (1 / 58) - 1)
    assert lower([0.0] * 58, floor=-1.0) < -0.05 < lower([0.0] * 59, floor=-1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_bound_lies_between_the_floor_and_the_mean(values: list[float], seed: int) -> None:
    assert -1e-9 <= lower(values, draws=500, seed=seed) <= np.mean(values) + 1e-9


def test_drawing_in_blocks_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(0).uniform(size=30))
    whole = lower(values, draws=1000)
    monkeypatch.setattr(bounds, "BLOCK_ELEMENTS", 70)
    assert lower(values, draws=1000) == whole


@pytest.mark.parametrize(("margin", "rows"), [(0.05, 59), (0.1, 29), (0.01, 299), (0.5, 5)])
def test_as_many_rows_as_miss_the_losers_one_time_in_twenty(margin: float, rows: int) -> None:
    assert rows_without_loss(margin, 0.95) == rows
    assert (1 - margin) ** rows <= 0.05 < (1 - margin) ** (rows - 1)
