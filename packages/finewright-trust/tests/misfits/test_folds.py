"""A softmax regression has no slope at its weights, and a row's own label no part in what is said of it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from finewright_trust.misfits import labels
from finewright_trust.misfits.labels import by_the_others, softmax_regression


def log_chances(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("num_choices", [2, 5])
def test_the_weights_are_where_the_loss_has_no_slope(num_choices: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 4)).astype(np.float32)
    targets = np.eye(num_choices, dtype=np.float32)[rng.integers(num_choices, size=60)]
    weights = softmax_regression(rows, targets, ridge=1.0).astype(np.float64)
    scores = np.exp(rows @ weights)
    slope = rows.T @ (targets - scores / scores.sum(axis=1, keepdims=True)) - weights
    assert np.abs(slope).max() < 1e-3


def test_a_ridge_that_begins_where_another_ended_comes_nearer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(2)
    own = rng.integers(6, size=300)
    words = rng.random((6, 120)) ** 6
    rows = (rng.random((300, 120)) < 0.3 * words[own] + 0.01).astype(np.float32)
    rows /= np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True))  # as features of texts are
    targets = np.eye(6, dtype=np.float32)[own]
    cold = softmax_regression(rows, targets, ridge=0.3)
    warm = softmax_regression(
        rows, targets, ridge=0.3, start=softmax_regression(rows, targets, ridge=1.0)
    )
    monkeypatch.setattr(labels, "_STEPS", 3000)
    true = softmax_regression(rows, targets, ridge=0.3)
    off_warm, off_cold = (
        np.abs(log_chances(rows @ weights) - log_chances(rows @ true)).max()
        for weights in (warm, cold)
    )
    assert off_warm < off_cold
    assert off_warm < 0.05


def test_a_row_is_judged_by_others_alone_and_as_they_are() -> None:
    rng = np.random.default_rng(1)
    own = rng.integers(3, size=90)
    features = np.eye(3)[np.concatenate([own, range(3)])] * 3 + rng.normal(size=(93, 3)) / 2
    strong, weak = by_the_others(features, own, 3, [1.0, 0.3])
    assert np.exp(weak).sum(axis=1) == pytest.approx(1)
    assert (weak.argmax(axis=1) == own).mean() > 0.95
    assert np.abs(weak).max() > np.abs(strong).max()
    other = own.copy()
    other[7] = (own[7] + 1) % 3
    assert by_the_others(features, other, 3, [1.0, 0.3])[1][7] == pytest.approx(weak[7])
