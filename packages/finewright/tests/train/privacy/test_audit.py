"""The lower bound of one-run auditing, against randomised response, whose epsilon is known."""

import math
import random

import pytest

from finewright.errors import StageError
from finewright.train.privacy.audit import lower_bound, prove_epsilon, refuse_contradiction


def randomised_response(epsilon: float, count: int, seed: int) -> tuple[list[float], list[bool]]:
    """Coins, and what a mechanism of exactly this epsilon says of each."""
    rng = random.Random(seed)  # noqa: S311
    among = [rng.random() < 0.5 for _ in range(count)]
    tells = 1 / (1 + math.exp(-epsilon))
    scores = [float(coin == (rng.random() < tells)) + 1e-3 * rng.random() for coin in among]
    return scores, among


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_the_bound_holds_as_often_as_it_claims(epsilon: float) -> None:
    bounds = [prove_epsilon(*randomised_response(epsilon, 400, seed), 0.0) for seed in range(60)]
    beyond = sum(bound > epsilon for bound in bounds)
    assert beyond <= 9  # 3 are expected at 95 %; more than 9 have a chance of 0.001


def test_the_bound_comes_near_with_many_canaries() -> None:
    bounds = [prove_epsilon(*randomised_response(1.0, 4000, seed), 0.0) for seed in range(5)]
    assert 0.8 <= sorted(bounds)[2] <= 1.0


def test_luck_proves_nothing() -> None:
    assert prove_epsilon([1.0] * 100, [True, False] * 50, 0.0) == 0.0
    assert lower_bound(100, 60, 30, 0.0, 0.05) == 0.0
    assert lower_bound(100, 0, 0, 0.0, 0.05) == 0.0


def test_all_right_is_the_closed_form() -> None:
    """With delta 0 and v = r the condition is q^r = doubt."""
    share = 0.05 ** (1 / 50)
    assert lower_bound(100, 50, 50, 0.0, 0.05) == pytest.approx(
        math.log(share / (1 - share)), abs=1e-3
    )


def test_delta_takes_from_what_is_proven() -> None:
    plain = lower_bound(1000, 400, 380, 0.0, 0.05)
    assert lower_bound(1000, 400, 380, 1e-5, 0.05) < plain
    assert lower_bound(1000, 400, 380, 1e-1, 0.05) == 0.0


def test_a_contradiction_is_no_result() -> None:
    refuse_contradiction(0.9, 1.0)
    with pytest.raises(StageError, match="not as private as it claims"):
        refuse_contradiction(1.1, 1.0)
