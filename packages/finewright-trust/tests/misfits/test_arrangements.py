"""How often rows have which answer, against all orders of a few."""

from itertools import permutations

import numpy as np
import pytest

from finewright_trust.misfits.answers import shares


@pytest.mark.parametrize("seed", [1, 2])
def test_the_shares_are_those_of_all_orders(seed: int) -> None:
    log_odds = np.random.default_rng(seed).normal(0.0, 1.5, size=(5, 5))
    expected = np.zeros((5, 5))
    for order in permutations(range(5)):
        weight = np.exp(sum(log_odds[i, j] for i, j in enumerate(order)))
        for i, j in enumerate(order):
            expected[i, j] += weight
    assert shares(log_odds) == pytest.approx(expected / expected[0].sum(), abs=0.04)


def test_a_ring_of_exchanged_answers_is_put_in_order() -> None:
    places = np.arange(40)
    ring = np.roll(places[:12], 1)
    log_odds = np.full((40, 40), -5.0)
    log_odds[places[:12], ring] = 2.0
    log_odds[places[12:], places[12:]] = 2.0
    found = shares(log_odds)
    assert (found[places[:12], ring] > 0.9).all()
    assert (np.diag(found)[12:] > 0.9).all()
    assert shares(np.zeros((1, 1))).tolist() == [[1.0]]
