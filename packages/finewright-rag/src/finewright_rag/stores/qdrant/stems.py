"""Texts as sparse vectors of their words' stems, for stores that rank by the dot product of two of them."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.judge.searchable import words
from finewright.plugins import install_command

if TYPE_CHECKING:
    from finewright_rag.stores.lexical import ChunkWords

LANGUAGE = "english"


class Sparse(NamedTuple):
    """Where a vector is not 0, and what it is there."""

    indices: list[int]
    values: list[float]


class Stems:
    """The stems of one language by Snowball, each a number of 32 bits by its digest.

    Two stems of one number count as the same: with 100,000 stems, about one such pair is to be expected."""

    def __init__(self, language: str) -> None:
        try:
            import snowballstemmer
        except ImportError:
            raise MissingExtra(
                "an index in Qdrant needs snowballstemmer", hint=install_command("rag[qdrant]")
            ) from None
        known = [name for name in snowballstemmer.algorithms() if name != "porter"]
        if language not in {*known, "simple"}:
            raise DataError(
                f"there is no stemming for {language!r}",
                hint=f"one of {', '.join(sorted(known))}, or simple for none",
            )
        self.language = language
        self._stemmer = None if language == "simple" else snowballstemmer.stemmer(language)
        self._numbers: dict[str, int] = {}

    def of_chunk(self, found: ChunkWords, mean_words: float) -> Sparse:
        """BM25's weight of each stem but for its idf (k1 = 1.2, b = 0.75; Robertson and Zaragoza 2009):
        tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * words / mean_words)).

        The mean is given, as vectors that are kept do not change when it does."""
        counted = Counter(self._number(word) for word in found.words)
        at_half = 1.2 * (0.25 + 0.75 * found.num_written / mean_words)
        return Sparse(list(counted), [n * 2.2 / (n + at_half) for n in counted.values()])

    def of_query(self, text: str, most_words: int) -> Sparse:
        """1 for each stem of the first words."""
        numbers = dict.fromkeys(self._number(word) for word in words(text)[:most_words])
        return Sparse(list(numbers), [1.0] * len(numbers))

    def _number(self, word: str) -> int:
        number = self._numbers.get(word)
        if number is None:
            stem = self._stemmer.stemWord(word) if self._stemmer else word
            number = int.from_bytes(blake2b(stem.encode(), digest_size=4).digest(), "big")
            self._numbers[word] = number
        return number
