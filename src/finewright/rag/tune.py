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
    """Weights and what they reach: the mean over the kinds of questions of each kind's mean."""

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
    is that of the difference to the best on the same questions. Each kind of question counts the same. Made
    questions are not those that people ask: what is chosen is measured on such by `rag evaluate`."""
    kinds = [each.question.kind for each in trial.answered]
    every = [trial.measured_with(weights) for weights in grid]
    tried = tuple(
        Tried(weights, _mean(rows, kinds, _OF), _mean(rows, kinds, "recall@1"))
        for weights, rows in zip(grid, every, strict=True)
    )
    best = max(range(len(grid)), key=lambda i: tried[i].mrr)
    for item, rows in zip(tried, every, strict=True):
        error = _error(
            _by_kind([b[_OF] - a[_OF] for a, b in zip(rows, every[best], strict=True)], kinds)
        )
        if item.mrr >= tried[best].mrr - error:
            return Tuned(item.weights, tried)
    raise AssertionError("the best is within any distance of itself")


def _mean(rows: Sequence[Mapping[str, float]], kinds: Sequence[str], metric: str) -> float:
    by_kind = _by_kind([row[metric] for row in rows], kinds)
    return fmean(fmean(values) for values in by_kind)


def _error(by_kind: Sequence[Sequence[float]]) -> float:
    """The standard error of the mean of the kinds' means."""
    parts = [variance(values) / len(values) if len(values) > 1 else 0.0 for values in by_kind]
    return sqrt(sum(parts)) / len(parts)


def _by_kind(values: Sequence[float], kinds: Sequence[str]) -> list[list[float]]:
    found: dict[str, list[float]] = {}
    for kind, value in zip(kinds, values, strict=True):
        found.setdefault(kind, []).append(value)
    return list(found.values())
