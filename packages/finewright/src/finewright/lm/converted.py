"""A converted model in the cache, and whether it is still what the conversion left.

A model is hashed when it is first met and whenever a file of it changed (its size, times or inode), not at
each start: every 300 MB take 0.2 s. Covered: files that were damaged, cut, changed, added or taken away since
the conversion; in a cache of an earlier version, since they were first met. Not covered: a disk that gives
back other bytes and never says so, and whoever rewrites `origin.json` as well."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from finewright.errors import ModelError, StoreError
from finewright.store.atomic import sha256_file, write_json

_ORIGIN, _CHECKED = "origin.json", "checked.json"


def note_conversion(folder: Path, origin: dict[str, Any]) -> None:  # Any: JSON
    """Write down what the folder was made from, and the digest of each of its files."""
    write_json(folder / _ORIGIN, {**origin, "files": _digests(folder)})


def check_conversion(folder: Path) -> None:
    """Raise ModelError unless every file is as the conversion left it."""
    states = {path.name: _state(path) for path in _files(folder)}
    if _read(folder / _CHECKED) == states:
        return
    origin, found = _read(folder / _ORIGIN), _digests(folder)
    if "files" not in origin:
        origin["files"] = found
        with suppress(StoreError):  # a cache that is read-only is checked anew each time
            write_json(folder / _ORIGIN, origin)
    noted = origin["files"]
    other = sorted(name for name in {*noted, *found} if noted.get(name) != found.get(name))
    if other:
        raise ModelError(
            f"{folder / other[0]}: is not as the conversion left it: the cache was damaged or changed",
            hint=f"remove {folder}, and the model is converted anew",
        )
    with suppress(StoreError):
        write_json(folder / _CHECKED, states)


def _files(folder: Path) -> list[Path]:
    names = {_ORIGIN, _CHECKED}
    return sorted(
        p for p in folder.iterdir() if p.name not in names and not p.name.endswith(".tmp")
    )


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) if path.is_file() else "" for path in _files(folder)}


def _state(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
