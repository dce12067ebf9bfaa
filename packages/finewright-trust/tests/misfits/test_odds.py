"""The mixture finds the share of wrong choices that made the choices, and accuses nobody in a set of dice."""

import numpy as np
import pytest

from finewright_trust.misfits.odds import fit_odds


@pytest.mark.parametrize("wrong", [0.0, 0.05])
def test_the_share_of_wrong_choices_and_their_odds_are_found(wrong: float) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3000, 5))
    chances = np.exp(4 * scores) / np.exp(4 * scores).sum(axis=1, keepdims=True)
    own = np.array([rng.choice(5, p=p) for p in chances])
    is_wrong = rng.random(3000) < wrong
    own[is_wrong] = rng.integers(5, size=is_wrong.sum())
    odds = fit_odds([scores], own)
    assert odds.share == pytest.approx(wrong, abs=0.011)
    accused = np.zeros(3000, bool)
    accused[odds.accuse()] = True
    if wrong:
        # The odds are as often right as they say, and find what they say they find.
        assert is_wrong[accused].mean() >= odds.not_own[accused].mean() - 0.05
        other = is_wrong & (own != chances.argmax(axis=1))
        assert accused[other].mean() > 0.3
    else:
        assert accused.mean() < 0.002


def test_choices_that_go_with_nothing_cannot_be_told() -> None:
    rng = np.random.default_rng(2)
    odds = fit_odds([rng.normal(size=(500, 2))], rng.integers(2, size=500))
    assert odds.would_be_found() < 0.01
    assert odds.accuse() == []
