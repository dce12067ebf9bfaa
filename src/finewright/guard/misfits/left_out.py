"""What the other rows predict of a row: ridge regression with the row, or a group of rows, left out.

With A = K + ridge I and alpha = A^-1 Y, the prediction for row i of the regression that never saw it is
Y_i - alpha_i / (A^-1)_ii, and for a group G, Y_G - (A^-1_GG)^-1 alpha_G: exact, with one inversion for all
rows (Rifkin & Lippert 2007, Notes on Regularized Least Squares)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finewright.guard.misfits.likeness import Floats

_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Regression:
    """Rows whose products are `kernel` (n, n), fitted to `targets` (n, K) with that ridge."""

    inverse: Floats
    targets: Floats

    def without_each(self) -> Floats:
        """(n, K): each row's prediction by all other rows."""
        left: Floats = self.targets - (self.inverse @ self.targets) / np.diag(self.inverse)[:, None]
        return left

    def without(self, group: Sequence[int]) -> Floats:
        """(len(group), K): the predictions by the rows outside the group."""
        own = self.inverse[np.ix_(group, group)]
        left: Floats = self.targets[group] - np.linalg.solve(
            own, self.inverse[group] @ self.targets
        )
        return left


class _Spectrum(NamedTuple):
    values: Floats
    vectors: Floats


def regressions(kernel: Floats, targets: Floats) -> Iterator[Regression]:
    """One for each of six ridges, the weakest first."""
    spectrum = _Spectrum(*np.linalg.eigh(kernel))
    for ridge in _RIDGES:
        scale = 1 / (np.maximum(spectrum.values, 0) + ridge)
        yield Regression((spectrum.vectors * scale) @ spectrum.vectors.T, targets)
