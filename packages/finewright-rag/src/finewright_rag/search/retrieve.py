"""From a question to the passages that may answer it.

Several rankings of the same chunks made one.

Results that do not all say the same: maximal marginal relevance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError
from finewright_rag.search.coverage import PassageEvidence, coverage, is_long
from finewright_rag.stores.index import RankedChunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from finewright.lm.embedders.embedder import Embedder
    from finewright.schema.passages import Access, Passage
    from finewright_rag.stores.index import Index


_WORD = re.compile(r"\w+")


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


DEPTH = 100
"""How many chunks of each ranking are fused: a chunk beyond has less than half the score of the first."""

_ALIKE_DEPTH = 50
"""Of how many chunks the diverse ones are chosen."""


class Hit(NamedTuple):
    """A passage and its score: the higher the better, comparable only within one search."""

    passage: Passage
    score: float


class SearchResult(NamedTuple):
    """What a search found, and whether any document is likely to have the answer: None where nobody knows, as
    the index is not calibrated."""

    hits: list[Hit]
    has_answer: bool | None


def search(  # noqa: PLR0913 - a question, and all that may be said of it
    index: Index,
    embedder: Embedder | None,
    query: str,
    *,
    limit: int,
    access: Access = None,
    weights: Mapping[str, float] | None = None,
    diversity: float = 0.0,
) -> list[Hit]:
    """The passages that suit the query, the best first, of those that `access` may see.

    Words and vectors are ranked apart and fused by rank; `weights` (`lexical`, `dense`) are those that the
    index remembers for such a question unless given. Without an embedder words alone count. A query without
    a word finds nothing. `diversity` above 0 (up to 1) prefers passages unlike those before them."""
    if weights is None:
        return find(index, embedder, query, limit=limit, access=access, diversity=diversity).hits
    lookup = _Query(index, embedder, query, access)
    made = lookup.rankings(max(DEPTH, limit), weights)
    return _hits(index, made, lookup.possible(weights), limit, diversity)


def find(
    index: Index,
    embedder: Embedder | None,
    query: str,
    *,
    limit: int,
    access: Access = None,
    diversity: float = 0.0,
) -> SearchResult:
    """What `search` finds by the weights that the index remembers, and whether it is likely to be an answer,
    by the chunks that `access` may see."""
    about, lookup = index.about, _Query(index, embedder, query, access)
    weights = RankingWeights(
        lookup.possible(about.weights), about.other_weights if embedder else None
    )
    calibration = about.calibration if bool(embedder) == bool(about.embedder) else None
    needs_both = calibration is not None or weights.other is not None
    made = lookup.rankings(max(DEPTH, limit), None if needs_both else weights.own)
    if not needs_both:
        return SearchResult(_hits(index, made, weights.own, limit, diversity), None)
    evidence = evidence_of(index, query, made, access)
    hits = _hits(index, made, weights.at(evidence), limit, diversity)
    return SearchResult(hits, calibration.has_answer(evidence) if calibration else None)


@dataclass(frozen=True, slots=True)
class _Query:
    """A question to an index by someone."""

    index: Index
    embedder: Embedder | None
    text: str
    access: Access

    def possible(self, weights: Mapping[str, float]) -> Mapping[str, float]:
        """The weights, or words alone without an embedder."""
        if self.embedder is None:
            return {"lexical": 1.0}
        require_same_embedder(self.index, self.embedder)
        return weights

    def rankings(
        self, depth: int, weights: Mapping[str, float] | None
    ) -> dict[str, list[RankedChunk]]:
        """Those that have a weight; both where it is not known before."""
        if not self.text.strip():
            return {}
        possible = None if weights is None else self.possible(weights)
        is_dense = self.embedder and (possible is None or possible.get("dense"))
        vector = self.embedder.queries([self.text])[0] if self.embedder and is_dense else None
        return rankings(
            self.index, self.text, vector, depth=depth, access=self.access, weights=possible
        )


def rankings(
    index: Index,
    query: str,
    vector: NDArray[np.float32] | None,
    *,
    depth: int = DEPTH,
    access: Access = None,
    weights: Mapping[str, float] | None = None,
) -> dict[str, list[RankedChunk]]:
    """The chunks by words and by vector; a ranking of weight 0 is not made."""
    found: dict[str, list[RankedChunk]] = {}
    if weights is None or weights.get("lexical", 0.0) > 0:
        found["lexical"] = index.lexical(query, depth, access)
    if vector is not None:
        found["dense"] = index.nearest(vector, depth, access)
    return found


def evidence_of(
    index: Index,
    query: str,
    ranked: Mapping[str, Sequence[RankedChunk]],
    access: Access = None,
) -> PassageEvidence:
    """What the best chunk by words and the best by vector say of whether there is an answer."""
    dense = ranked.get("dense", ())
    return PassageEvidence(
        cosine=dense[0].score if dense else None,
        coverage=coverage(index, query, ranked.get("lexical", ()), access),
        is_long=is_long(query),
    )


def require_same_embedder(index: Index, embedder: Embedder | None) -> None:
    """Refuse an embedder that the index was not made by: its vectors mean something else."""
    if embedder and embedder.id != index.about.embedder:
        made = f"by {index.about.embedder}" if index.about.embedder else "without vectors"
        raise DataError(
            f"the index was made {made}, and is searched with {embedder.id}",
            hint="name the embedder that it was made by, or index the documents anew",
        )


def _hits(
    index: Index,
    made: Mapping[str, Sequence[RankedChunk]],
    weights: Mapping[str, float],
    limit: int,
    diversity: float,
) -> list[Hit]:
    ranked = fuse_rankings({name: _ids(found) for name, found in made.items()}, weights)
    if diversity > 0:
        ranked = _diverse(index, ranked[: max(_ALIKE_DEPTH, limit)], limit, diversity)
    # A chunk that was deleted between ranking and reading has no passage.
    scores = {item.chunk_id: item.score for item in ranked[:limit]}
    return [Hit(passage, scores[passage.chunk_id]) for passage in index.passages(list(scores))]


def _diverse(
    index: Index, ranked: Sequence[RankedChunk], limit: int, diversity: float
) -> list[RankedChunk]:
    chunk_ids = _ids(ranked)
    if index.about.embedder:
        alike = cosines(index.vectors(chunk_ids))
    else:
        alike = share_of_words([passage.chunk.text for passage in index.passages(chunk_ids)])
    return diverse(ranked, alike, limit=limit, diversity=diversity)


def _ids(ranked: Sequence[RankedChunk]) -> list[int]:
    return [item.chunk_id for item in ranked]


def fuse_rankings(
    rankings: Mapping[str, Sequence[int]], weights: Mapping[str, float]
) -> list[RankedChunk]:
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


def diverse(
    ranked: Sequence[RankedChunk], similarity: NDArray[np.float32], *, limit: int, diversity: float
) -> list[RankedChunk]:
    """The best `limit` of `ranked`, each time the one with the largest

    (1 - diversity) * score / best score - diversity * similarity to the nearest that is already chosen.

    Carbonell & Goldstein 1998, their lambda is 1 - diversity; they compare a query and a text with one
    measure, here scores of rankings are divided by the best one to be on the scale of similarities. 0 keeps
    the order; `similarity` is (n, n), in the order of `ranked`, and all scores are above 0."""
    import numpy as np

    if not ranked:
        return []
    relevance = np.array([item.score for item in ranked]) / max(item.score for item in ranked)
    nearest = np.zeros(len(ranked))
    is_left = np.ones(len(ranked), dtype=bool)
    chosen: list[RankedChunk] = []
    for _ in range(min(limit, len(ranked))):
        gain = (1 - diversity) * relevance - diversity * nearest
        best = int(np.where(is_left, gain, -np.inf).argmax())
        chosen.append(ranked[best])
        is_left[best] = False
        nearest = np.maximum(nearest, similarity[best])
    return chosen


def cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """How alike vectors of length 1 are, each with each."""
    return vectors @ vectors.T


def share_of_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """The share of different words that two texts have in common (Jaccard), each with each; for an index
    without vectors. Two texts without any word are not alike."""
    import numpy as np

    words = [set(_WORD.findall(text.casefold())) for text in texts]
    pairs = [[len(a & b) / (len(a | b) or 1) for b in words] for a in words]
    return np.array(pairs, dtype=np.float32).reshape(len(texts), len(texts))
