"""Several rankings of the same chunks made one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright_rag.search.coverage import PassageEvidence
from finewright_rag.stores.index import RankedChunk

K = 60
"""How little it matters whether a chunk is first or third; 60 is the paper's, fixed before any trial."""

OTHER_WORDS, OWN_WORDS = 0.3, 0.5
"""The coverage up to which a question is in other words, and from which it is in the documents' own: of
questions that name a product and a fact a twentieth lie below 0.53, of paraphrases a twentieth above 0.45."""


class RankingWeights(NamedTuple):
    """How much each ranking counts: for a question in the documents' own words, and for one in other words
    (None: the same)."""

    own: Mapping[str, float]
    other: Mapping[str, float] | None = None

    def at(self, evidence: PassageEvidence) -> Mapping[str, float]:
        """For a question by its coverage, in proportion between the two bounds.

        Words alone are right where one chunk has them all, and lead astray where no chunk has; which of the
        two it is, each question says itself. A long question has words enough for them to count no less than
        vectors. Ours; the bounds were set on real questions."""
        if self.other is None:
            return self.own
        if evidence.is_long:
            dense = self.other.get("dense", 0.0)
            return {"lexical": max(self.other.get("lexical", 0.0), dense), "dense": dense}
        share = (OWN_WORDS - evidence.coverage) / (OWN_WORDS - OTHER_WORDS)
        share = min(max(share, 0.0), 1.0)
        return {
            name: (1 - share) * self.own.get(name, 0.0) + share * self.other.get(name, 0.0)
            for name in dict.fromkeys([*self.own, *self.other])
        }


def fused(rankings: Mapping[str, Sequence[int]], weights: Mapping[str, float]) -> list[RankedChunk]:
    """Weighted reciprocal rank fusion: a chunk scores the sum of weight / (60 + rank) over the rankings that
    have it, ranks from 1. Cormack, Clarke & Buettcher 2009; the weights are ours, 1 each is theirs.

    A ranking of weight 0 or without a weight takes no part: what only it has is not in the result. Equal
    scores keep the order in which `rankings` name them. Scores of the rankings themselves do not count."""
    scores: dict[int, float] = {}
    for name, chunk_ids in rankings.items():
        weight = weights.get(name, 0.0)
        if weight > 0:
            for rank, chunk_id in enumerate(chunk_ids, 1):
                scores[chunk_id] = scores.get(chunk_id, 0.0) + weight / (K + rank)
    return [RankedChunk(*item) for item in sorted(scores.items(), key=lambda item: -item[1])]
