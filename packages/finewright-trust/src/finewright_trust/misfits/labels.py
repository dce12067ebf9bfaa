"""Labels that the words of their rows speak against, by what the other rows teach.

What the other rows say of a row's label: a softmax regression that its eighth of the rows did not teach.

    P(k | x) = softmax(x W),   W = argmin -sum_i ln P(y_i | x_i) + ridge / 2 |W|^2

By steps of W += H^-1 gradient with H = X^T X / 2 + ridge I, which bounds the curvature for any W (Boehning
1992, Multinomial logistic regression algorithm), quickened by Nesterov's momentum, which begins again where
it points uphill (O'Donoghue & Candes 2015). A label that hardly any row of such words has gets a chance that
is about right; of a regression on squares it does not, and the rank of the wrong ones suffers."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from finewright.lm.embedders.meaning import Embed
from finewright_trust.misfits.likeness import (
    Floats,
    Ints,
    Regression,
    Singles,
    of_meaning,
    of_words,
    regressions,
)
from finewright_trust.misfits.odds import Odds, fit_odds

_FOLDS = 8


_STEPS = 25


# `AddToPlaylist`, `card_lost`: where a name of several words is cut.
_CUT = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
# Chosen on the fourth and fifth 1,000 rows of BANKING77, HWU64, SNIPS, CLINC150 and AG News.
_DIMENSIONS = 300
_RIDGES = (1.0, 0.3)


class Taught(NamedTuple):
    """The names of the labels, the number of each text's own, and the regression on all texts that errs
    least on a text that is left out (PRESS, Allen 1974): it gives `accuracy` of them their own."""

    names: tuple[str, ...]
    own: Ints
    regression: Regression
    accuracy: float


class Labelling(NamedTuple):
    """The odds of the texts' labels, and the label that the other rows give each text."""

    odds: Odds
    likeliest: tuple[str, ...]


def teach(texts: Sequence[str], labels: Sequence[str]) -> Taught:
    """What texts teach of labels by their words.

    The name of a label is one more text that has it: it says what a label of few rows means. At least two
    labels. The work grows with the cube of the rows."""
    names = sorted(set(labels))
    own = np.array([names.index(label) for label in labels])
    targets = np.eye(len(names))[[*own, *range(len(names))]]
    best = min(regressions(of_words(_with_names(texts, names)), targets), key=_error)
    left_out = best.without_each()[: len(own)]
    accuracy = float(np.mean(left_out.argmax(axis=1) == own))
    return Taught(tuple(names), own, best, accuracy)


def best_regression(known: Taught, texts: Sequence[str], embed: Embed | None) -> Regression:
    """By words alone, or also by the embedder's meaning of the texts, whichever tells more."""
    words = known.regression
    if embed is None:
        return words
    kernel = words.kernel + of_meaning(_with_names(texts, known.names), embed)
    return min([words, *regressions(kernel, words.targets)], key=_error)


def _with_names(texts: Sequence[str], names: Iterable[str]) -> list[str]:
    return [*texts, *(_CUT.sub(" ", name).strip() for name in names)]


def _error(regression: Regression) -> float:
    return float(np.square(regression.targets - regression.without_each()).mean())


def labelling(known: Taught, texts: Sequence[str], embed: Embed | None = None) -> Labelling:
    """How likely each label of the texts is by the rows of the other folds."""
    features = best_regression(known, texts, embed).features(_DIMENSIONS)
    scores = by_the_others(features, known.own, len(known.names), _RIDGES)
    odds = fit_odds(scores, known.own, unusual=0.0)
    return Labelling(odds, tuple(known.names[i] for i in odds.chances.argmax(axis=1).tolist()))


def by_the_others(
    features: Floats, own: Ints, num_choices: int, ridges: Sequence[float]
) -> list[Floats]:
    """For each ridge (n, K): ln P of each choice of the first n rows, whose numbers are `own` (n).

    `features` (n + K, d) end with a row of each choice, its name, which teaches in every part. The ridges
    fall: each begins where the one before ended."""
    rows = features.astype(np.float32)
    num = len(own)
    targets = np.eye(num_choices, dtype=np.float32)[[*own, *range(num_choices)]]
    order = np.random.default_rng(0).permutation(num)
    found = [np.zeros((num, num_choices)) for _ in ridges]
    for fold in range(_FOLDS):
        left_out = order[fold::_FOLDS]
        teaching = np.ones(len(rows), bool)
        teaching[left_out] = False
        weights = None
        for own_found, ridge in zip(found, ridges, strict=True):
            weights = softmax_regression(rows[teaching], targets[teaching], ridge, weights)
            scores = (rows[left_out] @ weights).astype(np.float64)
            scores -= scores.max(axis=1, keepdims=True)
            own_found[left_out] = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return found


def softmax_regression(
    rows: Singles, targets: Singles, ridge: float, start: Singles | None = None
) -> Singles:
    """W (d, K), nearly, of rows (n, d) and what they are (n, K), a row of which is 1 at one place.

    `start`: the weights of another ridge, from which as many steps come nearer than from zeros."""
    bound = rows.T @ rows / 2 + ridge * np.eye(rows.shape[1], dtype=np.float32)
    inverse = np.linalg.inv(bound)
    zeros = np.zeros((rows.shape[1], targets.shape[1]), np.float32)
    weights = ahead = zeros if start is None else start
    speed = 0
    for _ in range(_STEPS):
        scores = rows @ ahead
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        step = inverse @ (rows.T @ (targets - chances) - ridge * ahead)
        moved = ahead + step
        change = moved - weights
        speed = 0 if float(np.vdot(change, step)) < 0 else speed
        ahead = moved + speed / (speed + 3) * change
        weights, speed = moved, speed + 1
    return weights
