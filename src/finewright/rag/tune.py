"""How much words and vectors count on an index: weights of the fusion, tried on questions."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from finewright.rag.fusion import OTHER_WORDS, OWN_WORDS, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from finewright.rag.trial import Trial

GRID: tuple[Mapping[str, float], ...] = (
    {"lexical": 1.0, "dense": 0.0},
    {"lexical": 1.0, "dense": 0.05},
    {"lexical": 1.0, "dense": 0.1},
    {"lexical": 1.0, "dense": 0.25},
    {"lexical": 1.0, "dense": 0.5},
    {"lexical": 1.0, "dense": 1.0},
    {"lexical": 0.5, "dense": 1.0},
    {"lexical": 0.25, "dense": 1.0},
    {"lexical": 0.0, "dense": 1.0},
)
"""What is tried for questions in the documents' own words, from words alone to vectors alone."""

ALIKE = GRID[5]

WORDS_AND_MORE = GRID[5:]
"""What is tried for questions in other words: made questions share too many to speak for less of vectors."""

FEWEST = 30
"""Below so many questions chance decides, and the weights stay as they were."""

_USELESS = 0.25
"""Vectors that reach less than this part of what words reach, on the same questions, find by chance: a model
of another language, for instance. Of the usual ones the worst reached 0.7."""


class Tried(NamedTuple):
    """Weights and what they reach: means over the questions."""

    weights: Mapping[str, float]
    mrr: float
    recall_at_1: float


class Tuned(NamedTuple):
    """The weights chosen, and what each of the grid reaches on all questions, in its order."""

    weights: Weights
    tried: tuple[Tried, ...]


def tuned(trial: Trial, *, are_own: bool = False) -> Tuned:
    """Weights for questions in the documents' own words and for those in other words, by how much of a
    question the best chunk has; each chosen on the questions of its kind by the mean reciprocal rank.

    Of all that are within one standard error of the best, the first of the grid (Breiman et al. 1984, the
    1-SE rule): the fewest vectors. Made questions repeat their documents, so for other words both count
    alike, or vectors for more where that is better; `are_own` says that people asked these, and all is
    tried. With fewer than 30 questions of a kind, all choose the first, and alike is the second."""
    middle = (OTHER_WORDS + OWN_WORDS) / 2
    near = trial.where(lambda each: each.evidence.coverage >= middle)
    far = trial.where(lambda each: each.evidence.coverage < middle)
    tried = tuple(_tried(trial, weights) for weights in GRID)
    own = _chosen(near if len(near.answered) >= FEWEST else trial, GRID)
    other: Mapping[str, float] = ALIKE
    if len(far.answered) >= FEWEST:
        other = _chosen(far, GRID if are_own else WORDS_AND_MORE)
    if tried[-1].mrr < _USELESS * tried[0].mrr:
        other = own
    return Tuned(Weights(own, other), tried)


def _chosen(trial: Trial, grid: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The first that is no more than a standard error of the difference below the best."""
    every = [[row["mrr"] for row in trial.measured_with(Weights(weights))] for weights in grid]
    best = max(every, key=fmean)
    for weights, reached in zip(grid, every, strict=True):
        lost = [more - less for more, less in zip(best, reached, strict=True)]
        if fmean(lost) <= stdev(lost) / sqrt(len(lost)):
            return weights
    return grid[every.index(best)]


def _tried(trial: Trial, weights: Mapping[str, float]) -> Tried:
    rows = trial.measured_with(Weights(weights))
    return Tried(weights, fmean(row["mrr"] for row in rows), fmean(row["recall@1"] for row in rows))
