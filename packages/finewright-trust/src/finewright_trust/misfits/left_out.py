"""What the other rows predict of a row: ridge regression with the row, or a group of rows, left out.

With A = K + ridge I and alpha = A^-1 Y, the prediction for row i of the regression that never saw it is
Y_i - alpha_i / (A^-1)_ii, and for a group G, Y_G - (A^-1_GG)^-1 alpha_G: exact, with one inversion for all
rows (Rifkin & Lippert 2007, Notes on Regularized Least Squares)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from finewright_trust.misfits.likeness import Floats

_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Regression:
    """Rows whose products are V diag(values) V^T, V the `vectors` (n, n), the greatest of the `values` (n)
    last, fitted to `targets` (n, K) with a ridge. `turned` is V^T Y (n, K)."""

    vectors: Floats
    values: Floats
    ridge: float
    targets: Floats
    turned: Floats

    @property
    def scale(self) -> Floats:
        """(n): A^-1 = V diag(scale) V^T."""
        return 1 / (self.values + self.ridge)

    @property
    def kernel(self) -> Floats:
        """(n, n): the products of the rows."""
        products: Floats = (self.vectors * self.values) @ self.vectors.T
        return products

    def without_each(self) -> Floats:
        """(n, K): each row's prediction by all other rows."""
        scale = self.scale
        weights = self.vectors @ (scale[:, None] * self.turned)
        left: Floats = self.targets - weights / (self.vectors**2 @ scale)[:, None]
        return left

    def without(self, group: Sequence[int]) -> Floats:
        """(len(group), K): the predictions by the rows outside the group."""
        own = self.vectors[group] * self.scale
        left: Floats = self.targets[group] - np.linalg.solve(
            own @ self.vectors[group].T, own @ self.turned
        )
        return left

    def features(self, most: int) -> Floats:
        """(n, up to `most`): the rows in the directions in which they differ most; their products are those
        of the rows, nearly (principal components of the kernel)."""
        return self.vectors[:, -most:] * np.sqrt(self.values[-most:])


def regressions(kernel: Floats, targets: Floats) -> Iterator[Regression]:
    """One for each of six ridges, the weakest first."""
    found, vectors = np.linalg.eigh(kernel)
    values: Floats = np.maximum(found, 0)
    turned = vectors.T @ targets
    for ridge in _RIDGES:
        yield Regression(vectors, values, ridge, targets, turned)
