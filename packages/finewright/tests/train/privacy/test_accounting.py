"""Epsilon, against the closed form, Google's accountant and Opacus'."""

import math

import pytest
from scipy.stats import norm

from finewright.errors import StageError
from finewright.train.privacy import accounting
from finewright.train.privacy.accounting import (
    Mechanism,
    find_epsilon,
    noise_for,
    pld_epsilon,
    prv_epsilon,
    refuse_apart,
)

# dp-accounting 0.6.0, whose pin of attrs lets it not be installed beside ours: from_gaussian_mechanism(sigma,
# sampling_prob=rate, value_discretization_interval=1e-4).self_compose(steps).get_epsilon_for_delta(delta).
GOOGLE = [
    (Mechanism(0.8, 0.01, 1000), 1e-5, 3.1410183192646226),
    (Mechanism(1.0, 0.1, 100), 1e-5, 7.0466028772116545),
    (Mechanism(0.6, 0.05, 300), 1e-4, 16.095277812139987),
    (Mechanism(2.0, 0.25, 50), 1e-5, 4.440302081730466),
    (Mechanism(4.0, 0.02, 500), 1e-6, 0.4654752371110605),
    (Mechanism(5.0, 1.0, 10), 1e-5, 2.5943834404711485),
]


@pytest.mark.parametrize(("mechanism", "delta", "google"), GOOGLE, ids=str)
def test_both_accountants_agree_with_googles(
    mechanism: Mechanism, delta: float, google: float
) -> None:
    assert pld_epsilon(mechanism, delta) == pytest.approx(google, rel=1e-3)
    assert prv_epsilon(mechanism, delta) == pytest.approx(google, rel=5e-3)
    assert find_epsilon(mechanism, delta) >= google


@pytest.mark.parametrize(("sigma", "steps"), [(1.0, 1), (3.0, 7), (15.0, 400)])
def test_without_sampling_it_is_the_closed_form(sigma: float, steps: int) -> None:
    """Balle & Wang 2018, arXiv:1805.06530, theorem 8, of one Gaussian with the noise of all steps."""
    one, epsilon = sigma / math.sqrt(steps), pld_epsilon(Mechanism(sigma, 1.0, steps), 1e-5)
    z = 1 / (2 * one)
    delta = norm.cdf(z - epsilon * one) - math.exp(epsilon) * norm.cdf(-z - epsilon * one)
    assert delta == pytest.approx(1e-5, rel=5e-3)


@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_the_noise_is_the_least_that_is_enough(epsilon: float) -> None:
    sigma = noise_for(epsilon, 1e-5, rate=0.05, steps=300)
    assert find_epsilon(Mechanism(sigma, 0.05, 300), 1e-5) <= epsilon
    assert find_epsilon(Mechanism(0.98 * sigma, 0.05, 300), 1e-5) > epsilon


def test_an_epsilon_out_of_reach_takes_infinite_noise() -> None:
    assert noise_for(0.01, 1e-5, rate=0.5, steps=1000) == math.inf


def test_more_steps_or_rows_spend_more() -> None:
    base = pld_epsilon(Mechanism(1.0, 0.05, 100), 1e-5)
    assert base < pld_epsilon(Mechanism(1.0, 0.05, 110), 1e-5)
    assert base < pld_epsilon(Mechanism(1.0, 0.06, 100), 1e-5)
    assert base > pld_epsilon(Mechanism(1.05, 0.05, 100), 1e-5)


def test_accountants_that_disagree_are_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_apart(1.0, 1.019)
    with pytest.raises(StageError, match="disagree"):
        refuse_apart(1.0, 1.03)
    with pytest.raises(StageError, match="disagree"):
        refuse_apart(math.inf, 1.0)
    # A second accountant that forgets a tenth of the steps is noticed.
    wrong = Mechanism(1.0, 0.05, 270)
    monkeypatch.setattr(accounting, "prv_epsilon", lambda _, delta: prv_epsilon(wrong, delta))
    with pytest.raises(StageError, match="disagree"):
        find_epsilon(Mechanism(1.0, 0.05, 300), 1e-5)
