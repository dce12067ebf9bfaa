"""`support-bot@production`: a name that means a run, and another one tomorrow.

One JSON line for each time that one was set, in `aliases.jsonl` beside the runs or in a place; the last line
of an alias counts, and the earlier ones are its history. Lines are only added: to a file in one write, to an
object by a put that fails where someone else has put since it was read. A torn line sets nothing."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from finewright.errors import SpecError, StoreError
from finewright.report.cells import count_of
from finewright.schema.common import Model, Problem
from finewright.store.actor import read_actor
from finewright.store.atomic import append_line, os_errors
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
    problems: tuple[Problem, ...] = ()


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
    _parse((runs / ALIASES).read_bytes() if (runs / ALIASES).is_file() else b"", str(runs))
    append_line(runs / ALIASES, line, is_synced=True)
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
        gap = b"\n" if content and not content.endswith(b"\n") else b""
        try:
            put_object(folder.below(ALIASES), content + gap + line, mode)
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


class _Lines(NamedTuple):
    """What was set, and how many lines a kill or a full disk tore: those set nothing."""

    whole: tuple[SetAlias, ...]
    num_torn: int


def _parse(content: bytes, where: str) -> _Lines:
    """Raises StoreError for a line that is neither whole nor the beginning of one."""
    lines = [line for line in content.split(b"\n") if line.strip()]
    whole = []
    for line in lines:
        try:
            whole.append(SetAlias.model_validate_json(line))
        except ValidationError:
            if not _is_torn(line):
                hint = "restore it from a copy"
                raise StoreError(f"{where}: {ALIASES} is damaged", hint=hint) from None
    return _Lines(tuple(whole), len(lines) - len(whole))


def _is_torn(line: bytes) -> bool:
    """Whether it is the beginning of a JSON object that never came to its end."""
    text = line.decode("utf-8", "ignore")
    try:
        json.JSONDecoder().raw_decode(text)
    except ValueError:
        with suppress(ValueError):
            return isinstance(from_json(text, allow_partial="trailing-strings"), dict)
    return False


def _report(where: str, found: _Lines) -> AliasReport:
    current = {line.alias: line for line in found.whole}
    problems = [
        Problem(
            level="warning",
            file=ALIASES,
            message=f"{count_of(found.num_torn, 'line was', 'lines were')} cut short by a kill or a full"
            " disk, and set nothing",
            hint="set the alias again, if that command was yours",
        )
    ]
    return AliasReport(
        where=where,
        current=tuple(current.values()),
        history=found.whole,
        problems=tuple(problems) if found.num_torn else (),
    )
