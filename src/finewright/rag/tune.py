"""How much words and vectors count on an index: weights of the fusion, tried on questions."""

from __future__ import annotations

from statistics import fmean
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
"""What is tried, the usual before the unusual: 1 to 0.25 was the best of all fixed weights over seven sets of
real questions."""

FEWEST = 30
"""Below so many questions chance decides, and the weights stay as they were."""


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
    """The weights of the best mean reciprocal rank; of those that differ by less than a tenth of a point, the
    first of the grid.

    Made questions are not those that people ask: what is chosen is measured on such by `rag evaluate`."""
    every = [trial.measured_with(weights) for weights in grid]
    tried = tuple(
        Tried(weights, fmean(row["mrr"] for row in rows), fmean(row["recall@1"] for row in rows))
        for weights, rows in zip(grid, every, strict=True)
    )
    best = max(tried, key=lambda each: round(each.mrr, 3))
    return Tuned(best.weights, tried)
