"""Where the chunks of an index are, in memory, and the best of them by a score of each."""

import sqlite3
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright_rag.stores.index import RankedChunk

Numbers = NDArray[np.int64]
Scores = NDArray[np.float32]


class Places(NamedTuple):
    """The chunks in the order of their numbers, each with its document and its length in words."""

    chunks: Numbers
    documents: Numbers
    lengths: Numbers


def no_places() -> Places:
    """The places of an index without chunks."""
    return Places(*[np.zeros(0, np.int64)] * 3)


def read_places(connection: sqlite3.Connection) -> Places:
    """The places of all chunks in the file."""
    joined = connection.execute(
        "SELECT group_concat(id), group_concat(document), group_concat(num_words) FROM chunks"
    ).fetchone()
    columns = [read_numbers(numbers) for numbers in joined]
    order = np.argsort(columns[0])
    return Places(*(column[order] for column in columns))


def read_numbers(joined: str | None) -> Numbers:
    """The whole numbers that SQLite's `group_concat` has joined.

    A hundred thousand rows come so in some 10 ms; one by one they would take ten times as long."""
    return np.fromstring(joined, np.int64, sep=",") if joined else np.zeros(0, np.int64)


def best(
    places: Places, scores: Scores, limit: int, documents: Numbers | None
) -> list[RankedChunk]:
    """The chunks of the highest scores, the first of equals; of these documents alone if they are given.

    A score of minus infinity is none."""
    allowed = scores > -np.inf
    if documents is not None:
        allowed &= np.isin(places.documents, documents)
    found = np.flatnonzero(allowed)
    if limit < len(found):
        worst = np.partition(scores[found], -limit)[-limit]
        found = found[scores[found] >= worst]
    order = np.argsort(-scores[found], kind="stable")[:limit]
    return [RankedChunk(int(places.chunks[at]), float(scores[at])) for at in found[order]]
