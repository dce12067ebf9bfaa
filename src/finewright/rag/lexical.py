"""Words of a query searched in SQLite's FTS5, at a bounded cost."""

import sqlite3
from typing import NamedTuple

from finewright.rag.database import TOKENIZER
from finewright.rag.searchable import begins_words, query_words

_MOST_WORDS = 128
_MOST_KNOWN = 100_000


class _Term(NamedTuple):
    frequency: int
    phrase: str


class Terms:
    """The words of queries as FTS5 takes them, with the number of chunks that have them.

    Ranking costs FTS5 about 2 microseconds for every chunk that has a word. So when the words of a query
    are in more chunks than `budget`, only chunks that have one of its rarer words are ranked, by all of its
    words: the idea of MaxScore (Turtle and Flood 1995), whose bound would need scores that FTS5 does not
    give. A chunk that has nothing but the commonest words is then not found."""

    def __init__(self, connection: sqlite3.Connection, budget: int) -> None:
        self._connection = connection
        self._budget = budget
        self._known: dict[str, _Term | None] = {}
        # FTS5 alone knows its tokens: of a word they are read back from a table in memory.
        self._tokens = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._tokens.execute(
            f'CREATE VIRTUAL TABLE query USING fts5 (words, tokenize = "{TOKENIZER}")'
        )
        self._tokens.execute("CREATE VIRTUAL TABLE token USING fts5vocab (query, row)")
        connection.execute("CREATE VIRTUAL TABLE temp.term USING fts5vocab (main, found, row)")

    def forget(self) -> None:
        """Count the words anew: the index has changed."""
        self._known.clear()

    def expression(self, query: str) -> str:
        """An FTS5 query for the chunks that have a word of this one; empty if none has."""
        known = [self._term(word) for word in query_words(query)[:_MOST_WORDS]]
        terms = sorted({term for term in known if term and term.frequency})
        rare: list[str] = []
        total = 0
        for term in terms:
            total += term.frequency
            if not rare or total <= self._budget:
                rare.append(term.phrase)
        every = " OR ".join(term.phrase for term in terms)
        return every if len(rare) == len(terms) else f"({' OR '.join(rare)}) AND ({every})"

    def close(self) -> None:
        """Let go of the table in memory."""
        self._tokens.close()

    def _term(self, word: str) -> _Term | None:
        if word not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[word] = self._counted(word)
        return self._known[word]

    def _counted(self, word: str) -> _Term | None:
        if begins_words(word):
            row = self._connection.execute(
                "SELECT sum(doc) FROM temp.term WHERE term >= ? AND term < ?",
                (word, word + "\U0010ffff"),
            ).fetchone()
            return _Term(row[0] or 0, f'"{word}" *')
        self._tokens.execute("DELETE FROM query")
        self._tokens.execute("INSERT INTO query VALUES (?)", (word,))
        counts = [
            self._connection.execute("SELECT doc FROM temp.term WHERE term = ?", token).fetchone()
            for token in self._tokens.execute("SELECT term FROM token").fetchall()
        ]
        # A word of several tokens is a phrase, in no more chunks than the rarest of them.
        return _Term(min(row[0] if row else 0 for row in counts), f'"{word}"') if counts else None
