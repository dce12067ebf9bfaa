"""Words searched in SQLite's FTS5 and ranked by BM25 in memory.

FTS5 keeps the words, stemmed, and says where each is; its own ranking takes some 2 microseconds for every
chunk that has a word of the query, which at 100,000 chunks is too slow by far. Here it is 0.1 for each place
of a word that was not asked for before, and next to nothing for one that was."""

import sqlite3
from typing import NamedTuple

import numpy as np

from finewright.judge.searchable import begins_words, query_words
from finewright_rag.search.coverage import ceiling_of
from finewright_rag.stores.database import TOKENIZER
from finewright_rag.stores.places import Places, Scores, no_places, read_numbers

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

    def scores(self, query: str) -> Scores:
        """How well each chunk suits the query; minus infinity for one without a word of it.

        A word that more than half of a thousand chunks and more have, which would count next to nothing, is
        only searched where the query has no other."""
        total = np.zeros(len(self._places.chunks), np.float32)
        for term, number in self._telling(query).items():
            found = self._postings(term)
            total[found.at] += found.scores * number
        return np.where(total > 0, total, np.float32(-np.inf))

    def ceiling(self, query: str) -> float:
        """The sum of the best scores of its words alone, of those that are worth a search."""
        telling = self._telling(query)
        bests = [
            float(self._postings(term).scores.max())
            for term in telling
            for _ in range(telling[term])
        ]
        return ceiling_of([*bests, *([0.0] * self._num_unknown)], len(self._places.chunks))

    def close(self) -> None:
        """Let go of the table in memory."""
        self._tokens.close()

    def _forget(self) -> None:
        self._found.clear()
        self._frequencies.clear()
        self._num_kept = 0

    def _telling(self, query: str) -> dict[str, int]:
        """The terms of the query that are worth a search, and in how many forms it has each."""
        words = query_words(query)[:_MOST_WORDS]
        self._tokens.execute("DELETE FROM query")
        self._tokens.execute("INSERT INTO query VALUES (?)", (" ".join(words),))
        rows = self._tokens.execute("SELECT term, cnt FROM token").fetchall()
        forms = {term: number for term, number in rows if self._frequency(term)}
        self._num_unknown = sum(number for term, number in rows if term not in forms)
        rarest = min(map(self._frequency, forms), default=0)
        most = max(rarest, _COMMON, len(self._places.chunks) // 2)
        return {term: number for term, number in forms.items() if self._frequency(term) <= most}

    def _frequency(self, term: str) -> int:
        """The number of chunks that have the term, or more for one that begins words."""
        if term not in self._frequencies:
            where = _BEGINNING if begins_words(term) else _EXACT
            row = self._connection.execute(
                f"SELECT sum(doc) FROM temp.term WHERE {where}",  # noqa: S608 - two constants
                (term,),
            ).fetchone()
            self._frequencies[term] = row[0] or 0
        return self._frequencies[term]

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
        idf = max(np.log((len(chunks) - len(at) + 0.5) / (len(at) + 0.5)), _LEAST_IDF)
        scores = idf * f * (_K1 + 1) / (f + _K1 * (1 - _B + _B * relative))
        return _Found(at.astype(np.int32), scores.astype(np.float32))
