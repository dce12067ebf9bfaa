"""Words searched in SQLite's FTS5 and ranked by BM25 in memory.

FTS5 keeps the words, stemmed, and says where each is; its own ranking takes some 2 microseconds for every
chunk that has a word of the query, which at 100,000 chunks is too slow by far. Here it is 0.1 for each place
of a word that was not asked for before, and next to nothing for one that was.

The words of a chunk, for stores that are given words instead of a text."""

import sqlite3
from math import log
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from finewright.judge.searchable import begins_words, query_words, words
from finewright.schema.passages import Chunk, Document
from finewright_rag.indexing.chunk import names_above
from finewright_rag.search.coverage import ceiling_of
from finewright_rag.stores.database import TOKENIZER
from finewright_rag.stores.open import Places, Scores, no_places, read_numbers

NAMES = 3
"""A word in the title or a heading counts as often as this many in the text, as in the index in a file."""


class ChunkWords(NamedTuple):
    """The words a chunk is found by, those of the names above it several times, and how many are written."""

    words: list[str]
    num_written: int


_K1, _B = 1.2, 0.75
_NAMES = 3.0
"""A word in the title or a heading counts as often as this many in the text."""
_MOST_WORDS = 1000
_COMMON = 500
_LEAST_IDF = 1e-6
_MOST_KEPT = 8_000_000
# A place in the title or the headings is told from one in the text by its sign.
_PLACES = "SELECT group_concat(CASE col WHEN 'names' THEN -doc ELSE doc END) FROM temp.place WHERE "
_EXACT, _BEGINNING = "term = ?1", "term >= ?1 AND term < ?1 || char(1114111)"

Seen: TypeAlias = NDArray[np.bool_]
"""Of each chunk, in the order of the places, whether the asker may see it."""


class _Found(NamedTuple):
    at: np.ndarray[tuple[int], np.dtype[np.int32]]
    scores: Scores


class Words:
    """The words of an index, those that were asked for kept until it changes (up to 64 MB).

    Scores are those of FTS5's bm25(found, 3, 1): BM25 (Robertson et al., TREC-3, 1994), the sum over words of
    idf * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean length)), k1 = 1.2, b = 0.75, with the idf
    log((N - n + 0.5) / (n + 0.5)), or next to nothing for a word that more than half of the chunks have.
    A word that the query has in several forms counts as often."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._places = no_places()
        self._found: dict[str, _Found] = {}
        self._frequencies: dict[str, int] = {}
        self._num_kept = 0
        self._num_unknown = 0
        # FTS5 alone knows its tokens: those of a query are read back from a table in memory.
        self._tokens = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for sql in (
            f'CREATE VIRTUAL TABLE query USING fts5 (words, tokenize = "{TOKENIZER}")',
            "CREATE VIRTUAL TABLE token USING fts5vocab (query, row)",
        ):
            self._tokens.execute(sql)

    def follow(self, places: Places) -> None:
        """Forget all words: the index has changed."""
        self._places = places
        self._forget()

    def scores(self, query: str, seen: Seen | None = None) -> Scores:
        """How well each chunk suits the query; minus infinity for one without a word of it. For who sees some
        chunks alone (`seen`), a word is as common as it is among these.

        A word that more than half of a thousand chunks and more have, which would count next to nothing, is
        only searched where the query has no other."""
        total = np.zeros(len(self._places.chunks), np.float32)
        for term, number in self._telling(query, seen).items():
            found = self._postings_among(term, seen)
            total[found.at] += found.scores * number
        return np.where(total > 0, total, np.float32(-np.inf))

    def ceiling(self, query: str, seen: Seen | None = None) -> float:
        """The sum of the best scores of its words alone, of those that are worth a search."""
        telling = self._telling(query, seen)
        bests = [
            float(self._postings_among(term, seen).scores.max())
            for term in telling
            for _ in range(telling[term])
        ]
        return ceiling_of([*bests, *([0.0] * self._num_unknown)], self._num_chunks(seen))

    def close(self) -> None:
        """Let go of the table in memory."""
        self._tokens.close()

    def _forget(self) -> None:
        self._found.clear()
        self._frequencies.clear()
        self._num_kept = 0

    def _num_chunks(self, seen: Seen | None) -> int:
        return len(self._places.chunks) if seen is None else int(np.count_nonzero(seen))

    def _telling(self, query: str, seen: Seen | None) -> dict[str, int]:
        """The terms of the query that are worth a search, and in how many forms it has each."""
        words = query_words(query)[:_MOST_WORDS]
        self._tokens.execute("DELETE FROM query")
        self._tokens.execute("INSERT INTO query VALUES (?)", (" ".join(words),))
        rows = self._tokens.execute("SELECT term, cnt FROM token").fetchall()
        common = {term: self._frequency(term, seen) for term, _ in rows}
        forms = {term: number for term, number in rows if common[term]}
        self._num_unknown = sum(number for term, number in rows if term not in forms)
        rarest = min((common[term] for term in forms), default=0)
        most = max(rarest, _COMMON, self._num_chunks(seen) // 2)
        return {term: number for term, number in forms.items() if common[term] <= most}

    def _frequency(self, term: str, seen: Seen | None) -> int:
        """The number of chunks that have the term, or more for one that begins words."""
        if seen is not None:
            return len(self._postings_among(term, seen).at)
        if term not in self._frequencies:
            where = _BEGINNING if begins_words(term) else _EXACT
            row = self._connection.execute(
                f"SELECT sum(doc) FROM temp.term WHERE {where}",  # noqa: S608 - two constants
                (term,),
            ).fetchone()
            self._frequencies[term] = row[0] or 0
        return self._frequencies[term]

    def _postings_among(self, term: str, seen: Seen | None) -> _Found:
        """Those among the chunks that are seen, with the scores of a word as common as it is there."""
        found = self._postings(term)
        if seen is None:
            return found
        is_seen = seen[found.at]
        at = found.at[is_seen]
        among = _idf(len(at), self._num_chunks(seen))
        ratio = among / _idf(len(found.at), len(self._places.chunks))
        return _Found(at, found.scores[is_seen] * np.float32(ratio))

    def _postings(self, term: str) -> _Found:
        if term not in self._found:
            if self._num_kept > _MOST_KEPT:
                self._forget()
            found = self._read(term)
            self._num_kept += len(found.at)
            self._found[term] = found
        return self._found[term]

    def _read(self, term: str) -> _Found:
        where = _BEGINNING if begins_words(term) else _EXACT
        joined = self._connection.execute(_PLACES + where, (term,)).fetchone()[0]
        numbers = read_numbers(joined)
        chunks, lengths = self._places.chunks, self._places.lengths
        times = np.bincount(
            np.searchsorted(chunks, np.abs(numbers)),
            weights=np.where(numbers < 0, _NAMES, 1.0),
            minlength=len(chunks),
        )
        at = np.flatnonzero(times)
        f, relative = times[at], lengths[at] / lengths.mean()
        scores = _idf(len(at), len(chunks)) * f * (_K1 + 1) / (f + _K1 * (1 - _B + _B * relative))
        return _Found(at.astype(np.int32), scores.astype(np.float32))


def list_words(document: Document, chunk: Chunk) -> ChunkWords:
    """The words of the title, the headings and the text."""
    names, text = words(names_above(document, chunk)), words(chunk.text)
    return ChunkWords(names * NAMES + text, len(names) + len(text))


def _idf(num_with: int, num_chunks: int) -> float:
    return max(log((num_chunks - num_with + 0.5) / (num_with + 0.5)), _LEAST_IDF)
