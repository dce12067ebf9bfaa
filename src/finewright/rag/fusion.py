"""Several rankings of the same chunks made one."""

from collections.abc import Mapping, Sequence

from finewright.rag.index import Ranked

K = 60
"""How little it matters whether a chunk is first or third; 60 is the paper's, fixed before any trial."""


def fused(rankings: Mapping[str, Sequence[int]], weights: Mapping[str, float]) -> list[Ranked]:
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
    return [Ranked(*item) for item in sorted(scores.items(), key=lambda item: -item[1])]
