"""The vectors of an index in memory, searched exactly."""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from finewright.rag.index import Ranked

Numbers = NDArray[np.int64]


class Matrix:
    """Every vector as a row of 32-bit floats, with the chunk and the document that it is of.

    Exact: a product with all rows, which at 100,000 rows of 256 numbers reads 100 MB of memory."""

    def __init__(self, dimensions: int) -> None:
        self._chunks: Numbers = np.zeros(0, np.int64)
        self._documents: Numbers = np.zeros(0, np.int64)
        self._rows: NDArray[np.float32] = np.zeros((0, dimensions), np.float32)

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Follow the file: drop the rows of deleted chunks, read those of later ones.

        The number of a chunk is never given again, so those known are those still there."""
        there = np.array(
            connection.execute("SELECT id, document FROM chunks ORDER BY document").fetchall(),
            np.int64,
        ).reshape(-1, 2)
        there = there[np.argsort(there[:, 0])]
        is_kept = np.isin(self._chunks, there[:, 0], assume_unique=True)
        last = int(self._chunks[-1]) if len(self._chunks) else 0
        later = connection.execute(
            "SELECT vector FROM vectors WHERE chunk > ? ORDER BY chunk", (last,)
        ).fetchall()
        fresh = np.frombuffer(b"".join(row[0] for row in later), np.float16)
        dimensions = self._rows.shape[1]
        self._rows = np.concatenate([self._rows[is_kept], fresh.reshape(-1, dimensions)])
        self._chunks, self._documents = there[:, 0].copy(), there[:, 1].copy()

    def nearest(
        self, vector: NDArray[np.float32], limit: int, documents: Numbers | None
    ) -> list[Ranked]:
        """The chunks with the greatest products, the first ones of equals; of these documents if given."""
        scores = self._rows @ vector.astype(np.float32)
        places = np.arange(len(scores))
        if documents is not None:
            places = np.flatnonzero(np.isin(self._documents, documents))
            scores = scores[places]
        if limit < len(scores):
            top = np.argpartition(-scores, limit - 1)[:limit]
            top = top[np.lexsort((top, -scores[top]))]
        else:
            top = np.lexsort((places, -scores))
        return [Ranked(int(self._chunks[places[at]]), float(scores[at])) for at in top]

    def rows(self, chunk_ids: list[int]) -> NDArray[np.float32]:
        """The vectors of these chunks; zeros for one that is not there."""
        wanted = np.array(chunk_ids, np.int64)
        places = np.searchsorted(self._chunks, wanted).clip(max=max(len(self._chunks) - 1, 0))
        if not len(self._chunks):
            return np.zeros((len(wanted), self._rows.shape[1]), np.float32)
        is_there = self._chunks[places] == wanted
        return np.where(is_there[:, None], self._rows[places], np.float32(0))
