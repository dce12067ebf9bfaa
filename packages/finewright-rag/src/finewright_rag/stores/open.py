"""The one way to an index: how its address begins says what holds it.

Where the chunks of an index are, in memory, and the best of them by a score of each."""

import importlib.util
import re
import sqlite3
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright import plugins
from finewright.errors import DataError, MissingExtra
from finewright.lm.embedders.embedder import Embedder
from finewright.plugins import install_command
from finewright_rag.stores.index import About, Index, IndexStore, RankedChunk, Resolve

Numbers = NDArray[np.int64]


Scores = NDArray[np.float32]


class Places(NamedTuple):
    """The chunks in the order of their numbers, each with its document and its length in words."""

    chunks: Numbers
    documents: Numbers
    lengths: Numbers


_FILE = "file"
_SCHEME = re.compile("([a-z][a-z0-9+.-]*):")


def open_index(target: str, resolve: Resolve) -> Index:
    """The index at `target`: a file, `postgresql://...`, `qdrant:FOLDER` or `qdrant+http(s)://...`.

    A DataError says in one line that there is none, that a newer version made it, or that it is damaged."""
    _require_numpy()
    return _store(target).open(target, resolve)


def create_index(target: str, resolve: Resolve, about: About) -> Index:
    """An empty index at `target`, where there must be none; others see it once a `put` has ended well."""
    _require_numpy()
    return _store(target).create(target, resolve, about)


def show_target(target: str) -> str:
    """The target as it may be printed and kept in reports: without a password."""
    return _store(target).show_address(target)


def path_in(target: str) -> str:
    """The path that an address of the form SCHEME:PATH?language=... names; a file is its own."""
    return target.removeprefix(f"{_scheme(target)}:").partition("?")[0]


def check_embedder(target: str, about: About, embedder: Embedder | None) -> None:
    """Raise a DataError unless the index at `target` was made by this embedder: vectors of two models have
    nothing to do with each other."""
    wanted = embedder.id if embedder else ""
    if wanted != about.embedder:
        raise DataError(
            f"{show_target(target)}: made with the embedder {about.embedder or 'none'!r}, "
            f"asked for with {wanted or 'none'!r}",
            hint="name the embedder it was made with, or index the documents anew under another name",
        )


def _require_numpy() -> None:
    if importlib.util.find_spec("numpy") is None:
        raise MissingExtra("an index needs numpy", hint=install_command("rag"))


def _store(target: str) -> IndexStore:
    store: type[IndexStore] = plugins.resolve("index", _scheme(target))
    return store()


def _scheme(target: str) -> str:
    """How the address begins, where an index goes by that; else it is a file, whose name may have a colon."""
    found = _SCHEME.match(target)
    if found is None:
        return _FILE
    if found[1] != _FILE and found[1] in plugins.list_known("index"):
        return found[1]
    if target.startswith("//", found.end()):
        raise DataError(
            f"{found[1]}://: no index can be kept there",
            hint="name a file, postgresql://USER@HOST/DATABASE, qdrant:FOLDER "
            "or qdrant+http://HOST:6333/COLLECTION",
        )
    return _FILE


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
