"""From a question to the passages that may answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError
from finewright.rag.diversity import cosines, diverse, shared_words
from finewright.rag.fusion import fused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from finewright.rag.index import Access, Embedder, Index, Passage, Ranked

DEPTH = 100
"""How many chunks of each ranking are fused: a chunk beyond has less than half the score of the first."""

_ALIKE_DEPTH = 50
"""Of how many chunks the diverse ones are chosen."""


class Hit(NamedTuple):
    """A passage and its score: the higher the better, comparable only within one search."""

    passage: Passage
    score: float


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
    index remembers unless given. Without an embedder words alone count. A query without a word finds nothing.
    `diversity` above 0 (up to 1) prefers passages unlike those before them."""
    wanted = _wanted(index, embedder, index.about.weights if weights is None else weights)
    if not query.strip():
        return []
    depth = max(DEPTH, limit)
    vector = embedder.queries([query])[0] if embedder and wanted.get("dense") else None
    found = rankings(index, query, vector, depth=depth, access=access, weights=wanted)
    ranked = fused(found, wanted)
    if diversity > 0:
        ranked = _diverse(index, ranked[: max(_ALIKE_DEPTH, limit)], limit, diversity)
    ranked = ranked[:limit]
    # A chunk that was deleted between ranking and reading has no passage.
    scores = {item.chunk_id: item.score for item in ranked}
    return [Hit(passage, scores[passage.chunk_id]) for passage in index.passages(list(scores))]


def rankings(
    index: Index,
    query: str,
    vector: NDArray[np.float32] | None,
    *,
    depth: int = DEPTH,
    access: Access = None,
    weights: Mapping[str, float] | None = None,
) -> dict[str, list[int]]:
    """The chunks by words and by vector, as `fused` takes them; a ranking of weight 0 is not made."""
    found: dict[str, list[int]] = {}
    if weights is None or weights.get("lexical", 0.0) > 0:
        found["lexical"] = _ids(index.lexical(query, depth, access))
    if vector is not None:
        found["dense"] = _ids(index.nearest(vector, depth, access))
    return found


def require_same_embedder(index: Index, embedder: Embedder | None) -> None:
    """Refuse an embedder that the index was not made by: its vectors mean something else."""
    if embedder and embedder.id != index.about.embedder:
        made = f"by {index.about.embedder}" if index.about.embedder else "without vectors"
        raise DataError(
            f"the index was made {made}, and is searched with {embedder.id}",
            hint="name the embedder that it was made by, or index the documents anew",
        )


def _wanted(
    index: Index, embedder: Embedder | None, weights: Mapping[str, float]
) -> Mapping[str, float]:
    if embedder is None:
        return {"lexical": 1.0}
    require_same_embedder(index, embedder)
    return weights


def _diverse(index: Index, ranked: Sequence[Ranked], limit: int, diversity: float) -> list[Ranked]:
    chunk_ids = _ids(ranked)
    if index.about.embedder:
        alike = cosines(index.vectors(chunk_ids))
    else:
        alike = shared_words([passage.chunk.text for passage in index.passages(chunk_ids)])
    return diverse(ranked, alike, limit=limit, diversity=diversity)


def _ids(ranked: Sequence[Ranked]) -> list[int]:
    return [item.chunk_id for item in ranked]
