"""How much words and vectors count on an index: weights of the fusion, tried on questions."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, variance
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from finewright.rag.trial import Trial

GRID: tuple[Mapping[str, float], ...] = (
    {"lexical": 1.0, "dense": 0.25},
    {"lexical": 1.0, "dense": 0.1},
    {"lexical": 1.0, "dense": 0.5},
    {"lexical": 1.0, "dense": 0.05},
    {"lexical": 1.0, "dense": 0.0},
    {"lexical": 1.0, "dense": 1.0},
    {"lexical": 0.5, "dense": 1.0},
    {"lexical": 0.25, "dense": 1.0},
    {"lexical": 0.0, "dense": 1.0},
)
"""What is tried, the usual before the unusual: 1 to 0.25 is the best over corpora that have nothing to do
with each other, so it needs evidence to leave it."""

FEWEST = 30
"""Below so many questions chance decides, and the weights stay as they were."""

_OF = "mrr"


class Tried(NamedTuple):
    """Weights and what they reach: means over the questions."""

    weights: Mapping[str, float]
    mrr: float
    recall_at_1: float


class Tuned(NamedTuple):
    """The weights chosen, and all that were tried in the order of the grid."""

    weights: Mapping[str, float]
    tried: tuple[Tried, ...]


def tuned(trial: Trial, grid: Sequence[Mapping[str, float]] = GRID) -> Tuned:
    """The first weights of the grid that are within one standard error of the best mean reciprocal rank.

    The one-standard-error rule of Breiman et al. 1984, with the usual in the place of the simple; the error
    is that of the difference to the best on the same questions. Of two questions at least. Made ones are
    not those that people ask: what is chosen is measured on such by `rag evaluate`."""
    every = [trial.measured_with(weights) for weights in grid]
    tried = tuple(
        Tried(weights, fmean(row[_OF] for row in rows), fmean(row["recall@1"] for row in rows))
        for weights, rows in zip(grid, every, strict=True)
    )
    best = max(range(len(grid)), key=lambda i: tried[i].mrr)
    for item, rows in zip(tried, every, strict=True):
        behind = [b[_OF] - a[_OF] for a, b in zip(rows, every[best], strict=True)]
        if fmean(behind) <= sqrt(variance(behind) / len(behind)):
            return Tuned(item.weights, tried)
    raise AssertionError("the best is not behind itself")
