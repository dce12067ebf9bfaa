"""Results that do not all say the same: maximal marginal relevance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from finewright_rag.stores.index import RankedChunk

_WORD = re.compile(r"\w+")


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


def shared_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """The share of different words that two texts have in common (Jaccard), each with each; for an index
    without vectors. Two texts without any word are not alike."""
    import numpy as np

    words = [set(_WORD.findall(text.casefold())) for text in texts]
    pairs = [[len(a & b) / (len(a | b) or 1) for b in words] for a in words]
    return np.array(pairs, dtype=np.float32).reshape(len(texts), len(texts))
