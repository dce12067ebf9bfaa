"""What a SQLite index keeps in memory between searches: places, words that were asked for, and vectors."""

import sqlite3

from finewright_rag.stores.lexical import Words
from finewright_rag.stores.matrix import Matrix
from finewright_rag.stores.places import no_places, read_places

_Version = tuple[int, int]


class IndexMemory:
    """All as the file was at one version of it; each part is read when it is first needed."""

    def __init__(self, connection: sqlite3.Connection, dimensions: int) -> None:
        self._connection = connection
        self._dimensions = dimensions
        self.places = no_places()
        self.words = Words(connection)
        self.forget()

    def forget(self) -> None:
        """Drop what may never have been there: what was read in a transaction that was undone."""
        self._version: _Version | None = None
        self._version_of_matrix: _Version | None = None
        self.matrix = Matrix(self._dimensions)

    def follow(self, version: _Version, *, with_vectors: bool) -> None:
        """Read what has changed since the version that is known."""
        if self._version != version:
            self.places = read_places(self._connection)
            self.words.follow(self.places)
            self._version = version
        if with_vectors and self._version_of_matrix != version:
            self.matrix.follow(self._connection, self.places)
            self._version_of_matrix = version
