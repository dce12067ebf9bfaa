"""How much of a question the best chunk has, by words: what tells a question in the documents' own words from
one in other words, whatever the store's own scale of scores is."""

from __future__ import annotations

from math import log1p
from typing import TYPE_CHECKING, NamedTuple

from finewright.judge.searchable import words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from finewright.schema.passages import Access
    from finewright_rag.stores.index import Index, RankedChunk

MOST_WORDS = 64
"""No chunk has more distinct words of a question together: a longer question counts as one in other words."""

_MOST = 2.2
"""What the frequency of a word in a chunk comes to at most, k1 + 1 in every store."""


class PassageEvidence(NamedTuple):
    """What speaks for an answer among the chunks that the asker may see: the cosine of the nearest (None
    without vectors), and the coverage by words, from 0 to 1: 0 where the question `is_long`."""

    cosine: float | None
    coverage: float
    is_long: bool = False


def coverage(
    index: Index, query: str, ranked: Sequence[RankedChunk], access: Access = None
) -> float:
    """The score of the best chunk by words, divided by the most that a chunk could have, of those that
    `access` may see: a word of another's document alone counts as one of no document.

    1 where one chunk suits each word as well as any chunk does; near 0 where each word stands somewhere else
    or nowhere."""
    if not ranked or is_long(query):
        return 0.0
    ceiling = index.ceiling(query, access)
    return min(ranked[0].score / ceiling, 1.0) if ceiling > 0 else 0.0


def is_long(query: str) -> bool:
    """Whether it has more distinct words than a chunk could have together."""
    return len(set(words(query))) > MOST_WORDS


def ceiling_of(bests: Sequence[float], num_chunks: int) -> float:
    """The sum of the best scores of the words alone, those of BM25. A word that no chunk has, and so has no
    score, counts as the rarest there can be, said again and again: ln(1 + (N - 0.5) / 1.5) * 2.2."""
    rarest = _MOST * log1p(max(num_chunks - 0.5, 0.0) / 1.5)
    return sum(best if best > 0 else rarest for best in bests)


def ceiling_by_words(
    lexical: Callable[[str, int, Access], Sequence[RankedChunk]],
    query: str,
    num_chunks: int,
    access: Access = None,
) -> float:
    """`Index.ceiling` for a store that is asked for each word by itself."""
    found = [lexical(word, 1, access) for word in dict.fromkeys(words(query))]
    return ceiling_of([ranked[0].score if ranked else 0.0 for ranked in found], num_chunks)
