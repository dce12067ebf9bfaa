"""`support-bot@production`: a name that means a run, and another one tomorrow.

One JSON line for each time that one was set, in `aliases.jsonl` beside the runs or in a place; the last line
of an alias counts, and the earlier ones are its history. Lines are only added: to a file in one write, to an
object by a put that fails where someone else has put since it was read."""

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from finewright.errors import SpecError, StoreError
from finewright.schema.common import Model
from finewright.store.actor import read_actor
from finewright.store.atomic import os_errors
from finewright.store.keys import digest
from finewright.store.manifest import CARD, Manifest, read_manifest
from finewright.store.rundir import open_run
from finewright_bridge.places.stores import Location, locate_address, put_object, read_whole

ALIASES = "aliases.jsonl"
_ALIAS = re.compile(r"[A-Za-z0-9][\w.-]{0,99}@[A-Za-z0-9][\w.-]{0,99}")
_MOST_TRIES = 5
"""Others who set aliases in the same moment: each try that fails is one of theirs that came first."""


class SetAlias(Model):
    """One line: the run by its path from the folder of the runs, the digest of what it trained, when, who."""

    alias: str
    run: str
    sha256: str
    time: str
    by: str


class AliasReport(Model):
    """The aliases of a folder or a place, and all that was ever set, oldest first."""

    where: str
    current: tuple[SetAlias, ...]
    history: tuple[SetAlias, ...]


def set_alias(alias: str, run: Path, runs: Path, *, at: str = "") -> AliasReport:
    """Let the alias mean the run from now on. Raises SpecError for no alias, StoreError for no run there."""
    if not _ALIAS.fullmatch(alias):
        raise SpecError(f"{alias}: is no alias", hint="write NAME@ALIAS: support-bot@production")
    if at:
        return _set_at(alias, run.as_posix(), locate_address(at))
    manifest = read_manifest(open_run(run))
    root = runs.resolve()
    if not run.resolve().is_relative_to(root):
        raise SpecError(f"{run}: is not below {runs}", hint="name its folder by --runs")
    line = _line(alias, run.resolve().relative_to(root).as_posix(), manifest)
    path = runs / ALIASES
    with os_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return list_aliases(runs)


def list_aliases(runs: Path, *, at: str = "") -> AliasReport:
    """All that was set, beside the runs or in a place."""
    if at:
        place = locate_address(at)
        there = read_whole(place.below(ALIASES))
        return _report(place.address, _parse(there[0] if there else b"", place.address))
    path = runs / ALIASES
    with os_errors(path):
        content = path.read_bytes() if path.is_file() else b""
    return _report(str(runs), _parse(content, str(path)))


def find_alias(text: str, runs: Path) -> Path | None:
    """The folder of the run that the alias means; None for what was never set there.

    Raises StoreError where the run is gone, or has been trained again since."""
    if not _ALIAS.fullmatch(text):
        return None
    found = [each for each in list_aliases(runs).current if each.alias == text]
    if not found:
        return None
    run = open_run(runs / found[0].run)
    if _digest_of(read_manifest(run)) != found[0].sha256:
        raise StoreError(
            f"{text}: {run.root} has been trained again since {found[0].by} set it, {found[0].time[:10]}",
            hint=f"to mean what it is by now: finewright alias set {text} {run.root}",
        )
    return run.root


def name_at(folder: Location, alias: str) -> str:
    """The name of the run that an alias of a place means. Raises StoreError for none."""
    found = [
        each.run for each in list_aliases(Path(), at=folder.address).current if each.alias == alias
    ]
    if not found:
        raise StoreError(
            f"{folder.address}: no alias {alias} there",
            hint=f"finewright alias list --at {folder.address}",
        )
    return found[0]


def _set_at(alias: str, name: str, folder: Location) -> AliasReport:
    there = read_whole(folder.below(f"{name}/manifest.json"))
    if there is None:
        raise StoreError(
            f"{folder.below(name).address}: no whole run is there", hint="finewright push it first"
        )
    line = _line(alias, name, Manifest.model_validate_json(there[0]))
    for _ in range(_MOST_TRIES):
        before = read_whole(folder.below(ALIASES))
        content, mode = before or (b"", "create")
        _parse(content, folder.address)
        try:
            put_object(folder.below(ALIASES), content + line, mode)
        except FileExistsError:
            continue
        return list_aliases(Path(), at=folder.address)
    raise StoreError(
        f"{folder.address}: others set aliases all the time", hint="repeat the command"
    )


def _line(alias: str, run: str, manifest: Manifest) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    by, sha256 = read_actor().describe(), _digest_of(manifest)
    return (
        SetAlias(alias=alias, run=run, sha256=sha256, time=now, by=by).model_dump_json().encode()
        + b"\n"
    )


def _digest_of(manifest: Manifest) -> str:
    """Of what was trained, which later measurements and cards leave as it is."""
    rows = [row for row in manifest.artifacts if row.stage == "train" and row.kind != CARD]
    return digest(manifest.key, sorted((row.path, row.sha256) for row in rows))


def _parse(content: bytes, where: str) -> list[SetAlias]:
    try:
        return [SetAlias.model_validate_json(line) for line in content.splitlines()]
    except ValidationError:
        raise StoreError(f"{where}: {ALIASES} is damaged", hint="restore it from a copy") from None


def _report(where: str, history: Iterable[SetAlias]) -> AliasReport:
    lines = tuple(history)
    current = {line.alias: line for line in lines}
    return AliasReport(where=where, current=tuple(current.values()), history=lines)
