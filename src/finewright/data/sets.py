"""Build a data set of the catalog into a folder, with a record of where it came from."""

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from finewright import __version__
from finewright.catalog.sets import Package, PackagedSet, data_sets
from finewright.data import erc7730, solidity
from finewright.errors import DataError, UnknownPlugin
from finewright.fetch.npm import npm_tarball, tar_members
from finewright.schema.common import Model
from finewright.store.atomic import os_errors, write_bytes

_PROVENANCE = "provenance.json"

JsonRow = dict[str, Any]  # Any: a row of any set
Settings = erc7730.BuildSettings | solidity.BuildSettings


class SetFile(Model):
    """A JSONL file of a data set."""

    rows: int
    sha256: str


class Provenance(Model):
    """Where a data set came from, and how to build the same one again."""

    name: str
    title: str
    registry: str
    packages: tuple[Package, ...]
    license: str
    license_note: str
    source: str
    observed_at: date
    finewright: str
    settings: Settings
    dropped: dict[str, int]
    files: dict[str, SetFile]


class SetReport(Model):
    """What `data get` did: the folder, whether anything was written, and the provenance."""

    folder: str
    written: bool
    provenance: Provenance


class Fetched(NamedTuple):
    """A package and the text of its files that the set is made from, by name."""

    package: Package
    files: Mapping[str, str]


class Content(NamedTuple):
    """The rows of each file of a set, the settings they were built with, and what was left out."""

    rows: Mapping[str, Sequence[JsonRow]]
    settings: Settings
    dropped: dict[str, int]


def build_set(name: str, out_dir: Path) -> SetReport:
    """Fetch a set's packages, build the set and write it; a folder that has it is left alone.

    Files of the same names with other content are never overwritten: that is a DataError. The
    provenance is written last, so a folder that has it is complete."""
    packaged = _packaged(name)
    fetched = [_fetched(package, packaged.members) for package in packaged.packages]
    content = _BUILDERS[name](fetched, packaged)
    files = {file: _jsonl(rows) for file, rows in content.rows.items()}
    provenance = _provenance(name, packaged, content, files)
    files[_PROVENANCE] = (provenance.model_dump_json(indent=2) + "\n").encode()
    written = _write(out_dir, files)
    return SetReport(folder=str(out_dir), written=written, provenance=provenance)


def _packaged(name: str) -> PackagedSet:
    sets = data_sets().sets
    if name not in sets:
        close = difflib.get_close_matches(name, sets, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise UnknownPlugin(f"unknown data set {name!r}{meant}", hint=f"known: {', '.join(sets)}")
    return sets[name]


def _fetched(package: Package, members: str) -> Fetched:
    tarball = npm_tarball(package.name, package.version, package.integrity)
    files = {name: data.decode() for name, data in tar_members(tarball, members).items()}
    return Fetched(package, files)


def _erc7730(fetched: Sequence[Fetched], packaged: PackagedSet) -> Content:
    settings = erc7730.BuildSettings()
    (text,) = fetched[0].files.values()
    registry = erc7730.parse_registry(text, packaged.chains)
    built = erc7730.build(registry.functions, settings)
    rows = {f"{split}.jsonl": rows for split, rows in built._asdict().items()}
    return Content(rows, settings, registry.dropped)


def _solidity(fetched: Sequence[Fetched], packaged: PackagedSet) -> Content:
    settings = solidity.BuildSettings()
    sources = (
        solidity.SourceFile(
            f"{package.name}@{package.version}", name.removeprefix("package/"), text
        )
        for package, files in fetched
        for name, text in files.items()
    )
    built = solidity.build(sources, packaged.license, settings)
    return Content({"train.jsonl": built.train, "test.jsonl": built.test}, settings, built.dropped)


_BUILDERS: Mapping[str, Callable[[Sequence[Fetched], PackagedSet], Content]] = {
    "erc7730": _erc7730,
    "solidity": _solidity,
}


def _jsonl(rows: Sequence[JsonRow]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _provenance(
    name: str, packaged: PackagedSet, content: Content, files: Mapping[str, bytes]
) -> Provenance:
    facts = packaged.model_dump(exclude={"members", "chains"})
    described = {
        file: SetFile(rows=len(content.rows[file]), sha256=hashlib.sha256(data).hexdigest())
        for file, data in files.items()
    }
    return Provenance(
        name=name,
        finewright=__version__,
        settings=content.settings,
        dropped=content.dropped,
        files=described,
        **facts,
    )


def _write(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Write the files that are missing; False if there are none."""
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        missing = [file for file in files if not (folder / file).exists()]
        other = [
            file
            for file, data in files.items()
            if file not in missing and (folder / file).read_bytes() != data
        ]
    if other:
        raise DataError(
            f"{folder}: {', '.join(other)} would be overwritten by other content",
            hint="choose another folder with --out, or remove these files",
        )
    for file in missing:
        write_bytes(folder / file, files[file])
    return bool(missing)
