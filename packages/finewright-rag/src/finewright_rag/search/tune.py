"""How much words and vectors count on an index: weights of the fusion, tried on questions."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from finewright_rag.search.fusion import OTHER_WORDS, OWN_WORDS, RankingWeights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finewright_rag.search.trial import IndexTrial

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

STRONG = GRID[7]
"""For other words where vectors find as much as words do, even of questions that repeat the documents: such
an embedder knows paraphrases far better than words do."""

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

    weights: RankingWeights
    tried: tuple[Tried, ...]


def tuned(trial: IndexTrial, *, are_own: bool = False) -> Tuned:
    """Weights for questions in the documents' own words and for those in other words, by how much of a
    question the best chunk has; each chosen on the questions of its kind by the mean reciprocal rank.

    Of all that are within one standard error of the best, the first of the grid (Breiman et al. 1984, the
    1-SE rule): the fewest vectors. Made questions repeat their documents, so they do not choose for other
    words: there both count alike, or words a quarter where vectors find as much of the made ones. `are_own`
    says that people asked these, and they choose that too. With fewer than 30 questions in the documents'
    own words all choose; with fewer than 30 in other words, alike holds."""
    middle = (OTHER_WORDS + OWN_WORDS) / 2
    near = trial.where(lambda each: each.evidence.coverage >= middle)
    far = trial.where(lambda each: each.evidence.coverage < middle)
    tried = tuple(_tried(trial, weights) for weights in GRID)
    words, vectors = tried[0].mrr, tried[-1].mrr
    own = _chosen(near if len(near.answered) >= FEWEST else trial)
    other: Mapping[str, float] = STRONG if vectors >= words and not are_own else ALIKE
    if are_own and len(far.answered) >= FEWEST:
        other = _chosen(far)
    if vectors < _USELESS * words:
        other = own
    return Tuned(RankingWeights(own, other), tried)


def _chosen(trial: IndexTrial) -> Mapping[str, float]:
    """The first that is no more than a standard error of the difference below the best."""
    every = [
        [row["mrr"] for row in trial.measured_with(RankingWeights(weights))] for weights in GRID
    ]
    best = max(every, key=fmean)
    for weights, reached in zip(GRID, every, strict=True):
        lost = [more - less for more, less in zip(best, reached, strict=True)]
        if fmean(lost) <= stdev(lost) / sqrt(len(lost)):
            return weights
    return GRID[every.index(best)]


def _tried(trial: IndexTrial, weights: Mapping[str, float]) -> Tried:
    rows = trial.measured_with(RankingWeights(weights))
    return Tried(weights, fmean(row["mrr"] for row in rows), fmean(row["recall@1"] for row in rows))
