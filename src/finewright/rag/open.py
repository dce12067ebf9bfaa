"""The one door to an index: what holds it is told by how its place is written."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from finewright.errors import DataError, MissingExtra
from finewright.rag.index import About, Embedder, Index

Resolve = Callable[[str], Path]
"""From a path as written to one that can be opened, relative to the spec file for instance."""


def open_index(target: str, resolve: Resolve) -> Index:
    """The index at `target`: a file, `postgresql://...`, `qdrant:FOLDER` or `qdrant+http(s)://...`.

    A DataError says in one line that there is none, that a newer version made it, or that it is damaged."""
    _require_numpy()
    if target.startswith(("postgresql://", "postgres://")):
        from finewright.rag import postgres

        return postgres.open_existing(target)
    if target.startswith(("qdrant:", "qdrant+")):
        from finewright.rag import qdrant

        return qdrant.open_existing(target, resolve)
    from finewright.rag import sqlite

    return sqlite.open_existing(_file(target, resolve))


def create_index(target: str, resolve: Resolve, about: About) -> Index:
    """An empty index at `target`, where there must be none; others see it once a `put` has ended well."""
    _require_numpy()
    if target.startswith(("postgresql://", "postgres://")):
        from finewright.rag import postgres

        return postgres.create(target, about)
    if target.startswith(("qdrant:", "qdrant+")):
        from finewright.rag import qdrant

        return qdrant.create(target, resolve, about)
    from finewright.rag import sqlite

    return sqlite.create(_file(target, resolve), about)


def shown(target: str) -> str:
    """The target as it may be printed and kept in reports: without a password."""
    if target.startswith(("postgresql://", "postgres://")):
        from finewright.rag.postgres_connect import place_of

        return place_of(target).shown
    return target


def check_embedder(target: str, about: About, embedder: Embedder | None) -> None:
    """Raise a DataError unless the index at `target` was made by this embedder: vectors of two models have
    nothing to do with each other."""
    asked = embedder.id if embedder else ""
    if asked != about.embedder:
        raise DataError(
            f"{shown(target)}: made with the embedder {about.embedder or 'none'!r}, "
            f"asked for with {asked or 'none'!r}",
            hint="name the embedder it was made with, or index the documents anew under another name",
        )


def _require_numpy() -> None:
    if importlib.util.find_spec("numpy") is None:
        raise MissingExtra("an index needs numpy", hint='pip install "finewright[rag]"')


def _file(target: str, resolve: Resolve) -> Path:
    scheme, mark, _ = target.partition("://")
    if mark:
        raise DataError(
            f"{scheme}://: no index can be kept there",
            hint="name a file, postgresql://USER@HOST/DATABASE, qdrant:FOLDER "
            "or qdrant+http://HOST:6333/COLLECTION",
        )
    return resolve(target)
