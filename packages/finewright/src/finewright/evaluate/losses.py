"""Metrics of the loss of an expected text: by token, and by byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finewright.errors import StageError
from finewright.evaluate.scorers import bits_per_byte, perplexity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from finewright.evaluate.answered import AnsweredRow
    from finewright.judge.statistics import Indices, Statistic


def loss_of(answered: AnsweredRow) -> tuple[float, int]:
    """The summed loss of the expected tokens, in nats, and how many they are. Raises StageError where
    there is none."""
    if answered.nll is None or answered.num_tokens is None or not math.isfinite(answered.nll):
        raise StageError(
            f"perplexity: row {answered.row} has no finite loss",
            hint="look at the run's loss: a model that diverged has none",
        )
    return answered.nll, answered.num_tokens


@dataclass(frozen=True, slots=True)
class LossMetric:
    """A figure of a summed loss and a summed size: `compute` of both, the size of a row by `size`."""

    compute: Callable[[Sequence[float], Sequence[int]], float]
    size: Callable[[AnsweredRow], int]

    def of_row(self, answered: AnsweredRow) -> float | None:
        """Of one row; None where it has no token."""
        nll, num_tokens = loss_of(answered)
        return self.compute([nll], [self.size(answered)]) if num_tokens else None

    def statistic(self, answers: Sequence[AnsweredRow]) -> Statistic:
        """Of a set, by the places of its rows."""
        import numpy as np

        losses = np.array([(loss_of(each)[0], self.size(each)) for each in answers], np.float64)

        def of_places(rows: Indices) -> float:
            nll, size = losses[rows].sum(axis=0)
            return self.compute([float(nll)], [int(size)])

        return of_places


def _num_bytes(answered: AnsweredRow) -> int:
    return max(1, len(answered.expected.encode("utf-8", "surrogatepass")))


LOSSES = {
    "perplexity": LossMetric(perplexity, lambda answered: loss_of(answered)[1]),
    "bits_per_byte": LossMetric(bits_per_byte, _num_bytes),
}
