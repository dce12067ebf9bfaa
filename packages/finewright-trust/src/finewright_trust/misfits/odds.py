"""From scores of choices to the odds that a row's own choice is not its own.

A row's choice (its label, the preferred answer) is the one of K that the scores of the other rows make
likely, p = softmax(T score), but for a share e of the rows, whose choice is any of the K:

    P(choice) = (1 - e) p + e / K          P(not its own | choice) = (e / K) / P(choice)

Of clean rows a few follow the scores less than the rest: 3 % of p are at a temperature of T / 1.8, so that a
row that is merely unusual is not taken for a wrong one.

T, e and the regression are unknown: each combination of a grid counts by how likely it makes the choices of
the set (Bayesian model averaging, Hoeting et al. 1999), so that choices that go with nothing accuse nobody.
Temperature: Guo et al. 2017; held-out probabilities against the given label: Northcutt et al. 2021 (confident
learning), which has a threshold a class where this has a mixture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finewright_trust.misfits.likeness import Floats, Ints

_TEMPERATURES = np.geomspace(0.3, 60, 28)
_SHARES = np.array([1e-4, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1])
_MOST_OTHERS = 8
_LEAST_WEIGHT = 1e-3
_UNUSUAL, _COOLER = 0.03, 1.8
SUPPOSED_SHARE = 0.03
# Of those that are accused, so many are to be right, and none is accused on less than the odds below.
_RIGHT = 0.8
_LEAST_ODDS = 0.5


@dataclass(frozen=True, slots=True)
class Odds:
    """Of each of n rows, how likely it is that its choice is not its own: as it stands (`not_own`, n), and,
    were 3 % of the rows such, with its own (`supposed`, n) and with some of the other choices (`others`, n
    by up to 8). `chances` (n, K) are those of all choices by the likeliest of the models, which is the
    regression `best`; `share` what the models say of e."""

    not_own: Floats
    supposed: Floats
    others: Floats
    chances: Floats
    share: float
    best: int

    def accuse(self) -> list[int]:
        """The rows whose choice is not their own, the surest first: as many as leave 80 % of them right by
        their odds, which bounds the expected false discoveries (Mueller, Parmigiani et al. 2004)."""
        order = np.argsort(-self.not_own, kind="stable")
        least = least_odds(self.not_own, np.ones(len(order)))
        return [int(i) for i in order if self.not_own[i] >= least]

    def would_be_found(self) -> float:
        """The share of rows with another choice that would be accused, were 3 % of the rows such."""
        if not self.others.size:
            return 0.0
        sizes = (1 - SUPPOSED_SHARE) / self.supposed.size, SUPPOSED_SHARE / self.others.size
        weights = np.repeat(sizes, (self.supposed.size, self.others.size))
        least = least_odds(np.concatenate([self.supposed, self.others.ravel()]), weights)
        return float((self.others >= least).mean())


def least_odds(odds: Floats, weights: Floats) -> float:
    """The lowest odds (n) at which all that have as much or more are, by their weights, right often enough;
    infinity where none are."""
    order = np.argsort(-odds, kind="stable")
    own, weight = odds[order], weights[order]
    right = np.cumsum(own * weight) / np.cumsum(weight)
    enough = np.flatnonzero((right >= _RIGHT) & (own >= _LEAST_ODDS))
    return float(own[enough[-1]]) if len(enough) else float("inf")


class _Model(NamedTuple):
    """A regression and a temperature: the chances (n) of each row's own choice, and of some others."""

    regression: int
    temperature: float
    own: Floats
    others: Floats


def fit_odds(scores: Iterable[Floats], own: Ints, unusual: float = _UNUSUAL) -> Odds:
    """The odds by the scores (n, K) of several regressions, the higher the likelier.

    `unusual`: the share of clean rows that follow the scores less than the rest."""
    every = list(scores)
    num_choices = every[0].shape[1]
    others = _others(own, num_choices)
    looked_at = np.concatenate([own[:, None], others], axis=1)
    models = [
        model for at, each in enumerate(every) for model in _models(at, each, unusual, looked_at)
    ]
    likelihoods = np.array([_likelihoods(model.own, num_choices) for model in models])
    weights = np.exp(likelihoods - likelihoods.max())
    weights = np.where(weights >= _LEAST_WEIGHT * weights.max(), weights, 0.0)
    weights /= weights.sum()
    best = models[int(likelihoods.max(axis=1).argmax())]
    not_own, of_own, of_others = np.zeros(len(own)), np.zeros(len(own)), np.zeros(others.shape)
    for at, share in np.argwhere(weights > 0):
        weight, model = weights[at, share], models[at]
        not_own += weight * _not_own(model.own, _SHARES[share], num_choices)
        supposed = max(_SHARES[share], SUPPOSED_SHARE)
        of_own += weight * _not_own(model.own, supposed, num_choices)
        of_others += weight * _not_own(model.others, supposed, num_choices)
    chances = _chances_of_all(every[best.regression], best.temperature, unusual)
    share = float(weights.sum(axis=0) @ _SHARES)
    return Odds(not_own, of_own, of_others, chances, share, best.regression)


def _others(own: Ints, num_choices: int) -> Ints:
    """(n, up to 8): choices that are not the row's own, spread over all."""
    num = min(_MOST_OTHERS, num_choices - 1)
    steps = 1 + np.arange(num) * (num_choices - 1) // num
    others: Ints = (own[:, None] + steps) % num_choices
    return others


def _models(at: int, scores: Floats, unusual: float, choices: Ints) -> Iterator[_Model]:
    """A regression at each temperature; the first of the choices (n, m) is the row's own."""
    below = _below(scores)
    space = np.empty_like(below)
    for temperature in map(float, _TEMPERATURES):
        chances = _chances(below, temperature, unusual, choices, space)
        yield _Model(at, temperature, chances[:, 0], chances[:, 1:])


def _chances_of_all(scores: Floats, temperature: float, unusual: float) -> Floats:
    below = _below(scores)
    choices = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    return _chances(below, temperature, unusual, choices, np.empty_like(below))


def _below(scores: Floats) -> Floats:
    below: Floats = scores - scores.max(axis=1, keepdims=True)
    return below


def _chances(
    below: Floats, temperature: float, unusual: float, choices: Ints, space: Floats
) -> Floats:
    """(n, m), of these choices; `space` is written over."""
    chances = (1 - unusual) * _softmax(below, temperature, choices, space)
    if unusual:
        chances += unusual * _softmax(below, temperature / _COOLER, choices, space)
    return chances


def _softmax(below: Floats, temperature: float, choices: Ints, space: Floats) -> Floats:
    # A new array for each step takes longer than its numbers, and most are only summed.
    np.multiply(below, temperature, out=space)
    np.exp(space, out=space)
    chances: Floats = np.take_along_axis(space, choices, axis=1) / space.sum(axis=1, keepdims=True)
    return chances


def _likelihoods(own: Floats, num_choices: int) -> Floats:
    """ln of how likely the choices are, for each share e."""
    mixed = np.outer(1 - _SHARES, own) + (_SHARES / num_choices)[:, None]
    likelihoods: Floats = np.log(mixed).sum(axis=1)
    return likelihoods


def _not_own(chances: Floats, share: float, num_choices: int) -> Floats:
    by_chance = share / num_choices
    odds: Floats = by_chance / ((1 - share) * chances + by_chance)
    return odds
