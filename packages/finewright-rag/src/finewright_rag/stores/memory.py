"""What a SQLite index keeps in memory between searches: places, words that were asked for, and vectors.

The vectors of an index in memory, searched exactly."""

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finewright_rag.stores.lexical import Words
from finewright_rag.stores.open import Places, Scores, no_places, read_places


class Matrix:
    """Every vector as a row of 32-bit floats, in the order of the chunks.

    A search is a product with all rows: at 100,000 rows of 256 numbers it reads 100 MB of memory."""

    def __init__(self, dimensions: int) -> None:
        self._chunks = np.zeros(0, np.int64)
        self._rows: NDArray[np.float32] = np.zeros((0, dimensions), np.float32)

    def follow(self, connection: sqlite3.Connection, places: Places) -> None:
        """Drop the rows of chunks that are gone, and read those of later ones.

        The number of a chunk is never given again, so those known are those still there."""
        is_kept = np.isin(self._chunks, places.chunks, assume_unique=True)
        last = int(self._chunks[-1]) if len(self._chunks) else 0
        later = connection.execute(
            "SELECT vector FROM vectors WHERE chunk > ? ORDER BY chunk", (last,)
        ).fetchall()
        fresh = np.frombuffer(b"".join(row[0] for row in later), np.dtype("<f2"))
        self._rows = np.concatenate(
            [self._rows[is_kept], fresh.reshape(-1, self._rows.shape[1])], dtype=np.float32
        )
        self._chunks = places.chunks

    def scores(self, vector: NDArray[np.float32]) -> Scores:
        """The product of each chunk's vector with this one: the cosine, as all are of length 1."""
        # Not by BLAS: on memory so little used it is no faster, and its threads wait for busy cores.
        products: Scores = np.einsum("ij,j->i", self._rows, vector.astype(np.float32))
        return products

    def rows(self, chunk_ids: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of these chunks; zeros for one that is not there."""
        wanted = np.array(chunk_ids, np.int64)
        found = np.zeros((len(wanted), self._rows.shape[1]), np.float32)
        is_there = np.isin(wanted, self._chunks)
        found[is_there] = self._rows[np.searchsorted(self._chunks, wanted[is_there])]
        return found


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
