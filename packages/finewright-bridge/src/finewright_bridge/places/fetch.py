"""What is at an address, in the cache by its digest: whole and checked, or not at all.

An address with a pin (`#sha256=`) is what the pin says, and needs no network once it is here. One without is
what it was when this machine first fetched it: where it has changed since, that is an error, whose hint is
the pin that accepts the change. The digest is the one that a run's lock has for such an input."""

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from finewright.data.source import source_digest
from finewright.errors import FetchError
from finewright.fetch.cache import cache_dir, offline
from finewright.lm.sources import folder_digest
from finewright.place import PIN, What
from finewright.schema.common import Model
from finewright.store.atomic import os_errors, read_json, scratch_dir, sha256_file, write_json
from finewright_bridge.places.stores import (
    Location,
    StoredObject,
    head_object,
    leads_out,
    list_objects,
    locate_address,
    read_object,
)

_MODEL_FILES = frozenset({".json", ".safetensors", ".jinja", ".model", ".txt", ".py"})
"""What is fetched of a model, as of the hub: no pickled weights. Code runs only if it is trusted by name."""
_ASK_AGAIN_S = 60.0
"""A command asks for the same address several times within seconds, and a server lives for days."""
_found: dict[tuple[str, What], tuple[float, Path]] = {}


class FetchedNote(Model):
    """What was at an address without a pin when it was fetched: digest, day, and what its store said."""

    address: str
    sha256: str
    fetched: str
    objects: tuple[StoredObject, ...]


class _Listing(NamedTuple):
    objects: tuple[StoredObject, ...]
    is_file: bool


def bring_here(address: str, what: What) -> Path:
    """The file or folder in the cache. Raises SpecError for no address, FetchError as the module says."""
    at = locate_address(address)
    known = _found.get((address, what))
    if known and time.monotonic() - known[0] < _ASK_AGAIN_S and known[1].exists():
        return known[1]
    path = _pinned(at, what) if at.sha256 else _unpinned(at, what)
    _found[address, what] = (time.monotonic(), path)
    return path


def _pinned(at: Location, what: What) -> Path:
    here = _place_of(at, at.sha256)
    if _is_whole(here, at.sha256, what):
        return here
    sha256, path, _ = _fetch(at, what)
    if sha256 != at.sha256:
        raise _has_changed(at, "its pin", at.sha256, sha256)
    return path


def _unpinned(at: Location, what: What) -> Path:
    note_path = _notes() / f"{hashlib.sha256(f'{what} {at.address}'.encode()).hexdigest()}.json"
    note = read_json(note_path, FetchedNote, hint="delete it") if note_path.is_file() else None
    if note:
        here = _place_of(at, note.sha256)
        if (offline() or _says_the_same(at, what, note)) and _is_whole(here, note.sha256, what):
            return here
    sha256, path, objects = _fetch(at, what)
    if note and sha256 != note.sha256:
        raise _has_changed(at, f"it was fetched on {note.fetched[:10]}", note.sha256, sha256)
    record = FetchedNote(
        address=at.address,
        sha256=sha256,
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        objects=objects,
    )
    write_json(note_path, record.model_dump(mode="json"))
    return path


def _has_changed(at: Location, since: str, before: str, found: str) -> FetchError:
    return FetchError(
        f"{at.address}: has changed since {since}: sha256 {before} then, {found} there",
        hint=f"to take what is there, write {at.address}{PIN}{found}; what was, {PIN}{before}",
    )


def _says_the_same(at: Location, what: What, note: FetchedNote) -> bool:
    """Whether the store tells, without a download, that nothing has changed."""
    objects = _look(at, what).objects
    return all(each.tag for each in objects) and objects == note.objects


def _look(at: Location, what: What) -> _Listing:
    """The one object of the address, or those of the folder that it is. Raises FetchError for neither."""
    found = head_object(at) if at.key else None
    if found:
        return _Listing((found,), is_file=True)
    objects = list_objects(at)
    if what == "model":
        objects = [
            each
            for each in objects
            if "/" not in each.path and PurePosixPath(each.path).suffix in _MODEL_FILES
        ]
    if objects:
        return _Listing(tuple(objects), is_file=False)
    is_server = at.scheme.startswith("http")
    raise FetchError(
        f"{at.address}: there is {'no such file' if is_server else 'no such object, and none below it'}",
        hint="a web server lists no folders: name a file" if is_server else "check the name",
    )


def _fetch(at: Location, what: What) -> tuple[str, Path, tuple[StoredObject, ...]]:
    """Download to a new folder, and put it in place by its digest once all of it is there."""
    objects, is_file = _look(at, what)
    root = _notes().parent
    with os_errors(root), scratch_dir(root / "fetching") as scratch:
        new = scratch / at.name
        for each in objects:
            _download(
                at if is_file else at.below(each.path), each, new if is_file else new / each.path
            )
        sha256 = _digest(new, what)
        if not sha256:
            raise FetchError(f"{at.address}: a folder without rows", hint="name a file of rows")
        place = _place_of(at, sha256)
        if not _is_whole(place, sha256, what):
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                place.rename(scratch / "damaged")
            new.rename(place)
    return sha256, place, objects


def _download(at: Location, expected: StoredObject, target: Path) -> None:
    if leads_out(expected.path):
        raise FetchError(f"{at.address}: a name that leads out of its folder", hint="rename it")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        found, pieces = read_object(at)
    except FileNotFoundError:
        raise FetchError(f"{at.address}: is gone while it was fetched", hint="repeat it") from None
    size = 0
    with target.open("wb") as file:
        for piece in pieces:
            size += file.write(piece)
    if (found.bytes, found.tag) != (expected.bytes, expected.tag) or size != expected.bytes:
        raise FetchError(f"{at.address}: changed while it was fetched", hint="repeat the command")


def _is_whole(path: Path, sha256: str, what: What) -> bool:
    return path.exists() and _digest(path, what) == sha256


def _digest(path: Path, what: What) -> str:
    """As an input of a lock: of a file its own, of a model or of rows as those who read them take it."""
    if path.is_file():
        return sha256_file(path)
    return folder_digest(path) if what == "model" else source_digest(path)


def _place_of(at: Location, sha256: str) -> Path:
    return cache_dir() / "places" / sha256 / at.name


def _notes() -> Path:
    folder = cache_dir() / "places" / "notes"
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder
