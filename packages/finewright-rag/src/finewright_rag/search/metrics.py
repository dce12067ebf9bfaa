"""How good a ranking of documents is, where the right ones are known.

`ranked` names each document once, the best first; `gold` are the right ones, at least one. All right ones
count the same."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

from finewright.judge.statistics import (
    Interval,
    PairedDifference,
    compare_pairs,
    mean_interval,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10")
"""What a ranking is told by, in the order of tables."""

CONFIDENCE, RESAMPLES, SEED = 0.95, 2000, 0
"""Of intervals: the usual level; resamples that are steady to about 0.2 points; any fixed number."""


class QuestionMean(NamedTuple):
    """A mean over questions and its interval."""

    value: float
    interval: Interval
    n: int


def recall(ranked: Sequence[str], gold: Collection[str], k: int) -> float:
    """The share of the right documents that are among the first k, of as many as there is room for.

    |gold in the first k| / min(k, |gold|): with one right document plain recall; with more, recall@1 says
    whether the first is right. Capped as by Thakur et al. 2021 (BEIR)."""
    return len(set(ranked[:k]) & set(gold)) / min(k, len(gold))


def reciprocal_rank(ranked: Sequence[str], gold: Collection[str]) -> float:
    """1 / the place of the first right document; 0 where none is ranked (Voorhees 1999)."""
    places = (place for place, document in enumerate(ranked, 1) if document in gold)
    return 1 / next(places, float("inf"))


def ndcg(ranked: Sequence[str], gold: Collection[str], k: int) -> float:
    """The sum of 1 / log2(place + 1) over the right documents among the first k, divided by what the best
    ranking would have (Jaervelin & Kekaelaeinen 2002)."""
    gain = sum(_discount(place) for place, name in enumerate(ranked[:k], 1) if name in gold)
    return gain / sum(_discount(place) for place in range(1, min(k, len(gold)) + 1))


def measure_ranking(ranked: Sequence[str], gold: Collection[str]) -> dict[str, float]:
    """Each of `METRICS` for one question."""
    return {
        "recall@1": recall(ranked, gold, 1),
        "recall@5": recall(ranked, gold, 5),
        "recall@10": recall(ranked, gold, 10),
        "mrr": reciprocal_rank(ranked, gold),
        "ndcg@10": ndcg(ranked, gold, 10),
    }


def estimates(questions: Sequence[Mapping[str, float]]) -> dict[str, QuestionMean]:
    """The mean of each metric with its interval; Wilson's for those that are 0 or 1.

    Questions are taken as independent of each other: many questions on one document make the intervals
    narrower than what other documents would show."""
    return {metric: _estimate([values[metric] for values in questions]) for metric in METRICS}


def difference(
    ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]], metric: str
) -> PairedDifference:
    """How much better one ranking is than another on the same questions, with its interval and p-value."""
    return compare_pairs(
        [values[metric] for values in ours],
        [values[metric] for values in theirs],
        confidence=CONFIDENCE,
        resamples=RESAMPLES,
        seed=SEED,
    )


def _estimate(values: Sequence[float]) -> QuestionMean:
    interval = mean_interval(values, confidence=CONFIDENCE, resamples=RESAMPLES, seed=SEED)
    return QuestionMean(sum(values) / len(values), interval, len(values))


def _discount(place: int) -> float:
    return 1 / log2(place + 1)
