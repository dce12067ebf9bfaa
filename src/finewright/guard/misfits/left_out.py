"""What the other rows predict of a row: ridge regression with the row, or a group of rows, left out.

With A = K + ridge I and alpha = A^-1 Y, the prediction for row i of the regression that never saw it is
Y_i - alpha_i / (A^-1)_ii, and for a group G, Y_G - (A^-1_GG)^-1 alpha_G: exact, with one inversion for all
rows (Rifkin & Lippert 2007, Notes on Regularized Least Squares)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from finewright.guard.misfits.likeness import Floats

_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Regression:
    """Rows whose products are V diag(values) V^T, V the `vectors` (n, n), fitted to `targets` (n, K) with a
    ridge: A^-1 = V diag(scale) V^T with `scale` = 1 / (values + ridge) (n). `turned` is V^T Y (n, K)."""

    vectors: Floats
    scale: Floats
    targets: Floats
    turned: Floats

    def without_each(self) -> Floats:
        """(n, K): each row's prediction by all other rows."""
        weights = self.vectors @ (self.scale[:, None] * self.turned)
        left: Floats = self.targets - weights / (self.vectors**2 @ self.scale)[:, None]
        return left

    def without(self, group: Sequence[int]) -> Floats:
        """(len(group), K): the predictions by the rows outside the group."""
        own = self.vectors[group] * self.scale
        left: Floats = self.targets[group] - np.linalg.solve(
            own @ self.vectors[group].T, own @ self.turned
        )
        return left


def regressions(kernel: Floats, targets: Floats) -> Iterator[Regression]:
    """One for each of six ridges, the weakest first."""
    values, vectors = np.linalg.eigh(kernel)
    turned = vectors.T @ targets
    for ridge in _RIDGES:
        yield Regression(vectors, 1 / (np.maximum(values, 0) + ridge), targets, turned)
