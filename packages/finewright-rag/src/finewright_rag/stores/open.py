"""The one way to an index: how its address begins says what holds it."""

import importlib.util
import re

from finewright import plugins
from finewright.errors import DataError, MissingExtra
from finewright.lm.embedders.embedder import Embedder
from finewright_rag.stores.index import About, Index, IndexStore, Resolve

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


def shown(target: str) -> str:
    """The target as it may be printed and kept in reports: without a password."""
    return _store(target).shown(target)


def path_in(target: str) -> str:
    """The path that an address of the form SCHEME:PATH?language=... names; a file is its own."""
    return target.removeprefix(f"{_scheme(target)}:").partition("?")[0]


def check_embedder(target: str, about: About, embedder: Embedder | None) -> None:
    """Raise a DataError unless the index at `target` was made by this embedder: vectors of two models have
    nothing to do with each other."""
    wanted = embedder.id if embedder else ""
    if wanted != about.embedder:
        raise DataError(
            f"{shown(target)}: made with the embedder {about.embedder or 'none'!r}, "
            f"asked for with {wanted or 'none'!r}",
            hint="name the embedder it was made with, or index the documents anew under another name",
        )


def _require_numpy() -> None:
    if importlib.util.find_spec("numpy") is None:
        raise MissingExtra("an index needs numpy", hint='pip install "finewright[rag]"')


def _store(target: str) -> IndexStore:
    store: type[IndexStore] = plugins.resolve("index", _scheme(target))
    return store()


def _scheme(target: str) -> str:
    """How the address begins, where an index goes by that; else it is a file, whose name may have a colon."""
    found = _SCHEME.match(target)
    if found is None:
        return _FILE
    if found[1] != _FILE and found[1] in plugins.known("index"):
        return found[1]
    if target.startswith("//", found.end()):
        raise DataError(
            f"{found[1]}://: no index can be kept there",
            hint="name a file, postgresql://USER@HOST/DATABASE, qdrant:FOLDER "
            "or qdrant+http://HOST:6333/COLLECTION",
        )
    return _FILE
