"""Many questions asked of an index once, and their rankings fused with any weights after that."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from finewright_rag.search.fusion import RankingWeights, fused
from finewright_rag.search.metrics import measured
from finewright_rag.search.retrieve import evidence_of, rankings

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

    def measured_with(self, weights: RankingWeights) -> list[dict[str, float]]:
        """The metrics of each question where the rankings count so much."""
        return [
            measured(self.ranked(each, weights.at(each.evidence)), each.question.gold)
            for each in self.answered
        ]

    def ranked(self, each: TrialQuestion, weights: Mapping[str, float]) -> list[str]:
        """Documents by their best chunk, the best first."""
        found = fused(each.rankings, weights)
        return list(dict.fromkeys(self.documents[item.chunk_id] for item in found))


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
