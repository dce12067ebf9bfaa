"""How much words and vectors count on an index: weights of the fusion, tried on questions.

Many questions asked of an index once, and their rankings fused with any weights after that."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from finewright_rag.search.metrics import measure_ranking
from finewright_rag.search.retrieve import (
    OTHER_WORDS,
    OWN_WORDS,
    RankingWeights,
    evidence_of,
    fuse_rankings,
    rankings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from finewright.lm.embedders.embedder import Embedder
    from finewright_rag.search.coverage import PassageEvidence
    from finewright_rag.search.questions import Question
    from finewright_rag.stores.index import Index


_AT_ONCE = 64


class TrialQuestion(NamedTuple):
    """A question with the chunks that words and vectors find for it, and what speaks for an answer."""

    question: Question
    rankings: Mapping[str, Sequence[int]]
    evidence: PassageEvidence


@dataclass(slots=True)
class IndexTrial:
    """What an index found for each question, and the documents that these chunks are of."""

    answered: list[TrialQuestion] = field(default_factory=list)
    documents: dict[int, str] = field(default_factory=dict)

    def where(self, holds: Callable[[TrialQuestion], bool]) -> IndexTrial:
        """The trial of these questions alone."""
        return IndexTrial([each for each in self.answered if holds(each)], self.documents)

    def measure_with(self, weights: RankingWeights) -> list[dict[str, float]]:
        """The metrics of each question where the rankings count so much."""
        return [
            measure_ranking(self.rank(each, weights.at(each.evidence)), each.question.gold)
            for each in self.answered
        ]

    def rank(self, each: TrialQuestion, weights: Mapping[str, float]) -> list[str]:
        """Documents by their best chunk, the best first."""
        found = fuse_rankings(each.rankings, weights)
        return list(dict.fromkeys(self.documents[item.chunk_id] for item in found))


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


def tune_weights(trial: IndexTrial, *, are_own: bool = False) -> Tuned:
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
    tried = tuple(_try_weights(trial, weights) for weights in GRID)
    words, vectors = tried[0].mrr, tried[-1].mrr
    own = _choose_weights(near if len(near.answered) >= FEWEST else trial)
    other: Mapping[str, float] = STRONG if vectors >= words and not are_own else ALIKE
    if are_own and len(far.answered) >= FEWEST:
        other = _choose_weights(far)
    if vectors < _USELESS * words:
        other = own
    return Tuned(RankingWeights(own, other), tried)


def _choose_weights(trial: IndexTrial) -> Mapping[str, float]:
    """The first that is no more than a standard error of the difference below the best."""
    every = [
        [row["mrr"] for row in trial.measure_with(RankingWeights(weights))] for weights in GRID
    ]
    best = max(every, key=fmean)
    for weights, reached in zip(GRID, every, strict=True):
        lost = [more - less for more, less in zip(best, reached, strict=True)]
        if fmean(lost) <= stdev(lost) / sqrt(len(lost)):
            return weights
    return GRID[every.index(best)]


def _try_weights(trial: IndexTrial, weights: Mapping[str, float]) -> Tried:
    rows = trial.measure_with(RankingWeights(weights))
    return Tried(weights, fmean(row["mrr"] for row in rows), fmean(row["recall@1"] for row in rows))


def ask_all(index: Index, embedder: Embedder | None, questions: Sequence[Question]) -> IndexTrial:
    """Ask each question by words and, with an embedder, by vectors; as the owner, who sees all."""
    trial = IndexTrial()
    for start in range(0, len(questions), _AT_ONCE):
        batch = questions[start : start + _AT_ONCE]
        vectors = embedder.queries([q.prompt for q in batch]) if embedder else [None] * len(batch)
        for question, vector in zip(batch, vectors, strict=True):
            found = rankings(index, question.prompt, vector)
            evidence = evidence_of(index, question.prompt, found)
            ids = {name: [item.chunk_id for item in ranked] for name, ranked in found.items()}
            new = set(chain.from_iterable(ids.values())) - trial.documents.keys()
            trial.documents |= {p.chunk_id: p.document for p in index.passages(sorted(new))}
            trial.answered.append(TrialQuestion(question, ids, evidence))
    return trial
