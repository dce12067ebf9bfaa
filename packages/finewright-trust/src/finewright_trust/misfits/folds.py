"""What the other rows say of a row's label: a softmax regression that its eighth of the rows did not teach.

    P(k | x) = softmax(x W),   W = argmin -sum_i ln P(y_i | x_i) + ridge / 2 |W|^2

By steps of W += H^-1 gradient with H = X^T X / 2 + ridge I, which bounds the curvature for any W (Boehning
1992, Multinomial logistic regression algorithm), quickened by Nesterov's momentum, which begins again where
it points uphill (O'Donoghue & Candes 2015). A label that hardly any row of such words has gets a chance that
is about right; of a regression on squares it does not, and the rank of the wrong ones suffers."""

from collections.abc import Sequence

import numpy as np

from finewright_trust.misfits.likeness import Floats, Ints, Singles

_FOLDS = 8
_STEPS = 25


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
