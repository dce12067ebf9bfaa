"""Exposure against scipy's distribution, and against ranks that are known."""

from math import log2

import numpy as np
import pytest
from scipy import stats

from finewright_trust.redteam.leakage.exposure import SkewNormal, exposure, fit_skew_normal

SPACE = 10**8


@pytest.mark.parametrize("shape", [-4.0, 0.0, 3.0])
@pytest.mark.parametrize("x", [-9.0, -5.0, -1.0, 0.0, 2.5, 40.0])
def test_the_distribution_is_scipys(shape: float, x: float) -> None:
    # by quadrature: scipy's own cdf loses its left tail for shapes above 0
    from scipy.integrate import quad

    density = stats.skewnorm(shape, loc=1.0, scale=2.0).pdf
    true, _ = quad(density, -60, x, points=[-8, 0, 1], limit=200, epsabs=0)
    ours = float(SkewNormal(1.0, 2.0, shape).cdf(x))
    assert ours == pytest.approx(true, rel=2e-3, abs=1e-15)


def test_the_fit_has_the_moments_of_the_sample() -> None:
    sample = stats.skewnorm(3.0, loc=5.0, scale=2.0).rvs(20_000, random_state=1)
    fitted = fit_skew_normal(sample)
    mean, variance, skew = stats.skewnorm.stats(
        fitted.shape, loc=fitted.location, scale=fitted.scale, moments="mvs"
    )
    assert mean == pytest.approx(sample.mean())
    assert variance == pytest.approx(sample.var())
    assert skew == pytest.approx(stats.skew(sample))
    assert fitted.shape == pytest.approx(3.0, rel=0.1)


def test_a_secret_like_others_has_the_exposure_of_its_rank() -> None:
    rng = np.random.default_rng(0)
    costs = rng.normal(40, 3, 100_000)
    for rank in (10, 1000, 50_000):
        cost = float(np.sort(costs)[rank])
        found = exposure(cost, rng.choice(costs, 400), SPACE)
        assert found.is_fitted
        assert found.bits == pytest.approx(log2(len(costs) / rank), abs=1.0)


def test_a_secret_that_is_known_by_heart_has_the_most() -> None:
    sample = np.random.default_rng(0).normal(40, 3, 200)
    assert exposure(2.0, sample, SPACE).bits == pytest.approx(log2(SPACE))
    assert exposure(70.0, sample, SPACE).bits == pytest.approx(0.0, abs=1e-6)


def test_where_the_fit_is_rejected_the_rank_in_the_sample_is_the_bound() -> None:
    two_heaps = np.concatenate([np.full(100, 1.0), np.full(100, 9.0)])
    two_heaps += np.random.default_rng(0).normal(0, 0.01, 200)
    assert exposure(0.0, two_heaps, SPACE) == (pytest.approx(log2(201)), False)
    assert exposure(5.0, two_heaps, SPACE) == (pytest.approx(log2(201 / 101)), False)


def test_costs_that_are_all_the_same_say_only_the_rank() -> None:
    assert exposure(3.0, np.full(7, 3.0), SPACE) == (0.0, False)
