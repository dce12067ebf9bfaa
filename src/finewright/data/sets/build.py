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
from finewright.data.sets import erc7730, erc7730_feedback, solidity, solidity_pairs
from finewright.errors import DataError, UnknownPlugin
from finewright.fetch.npm import npm_tarball, tar_members
from finewright.schema.common import Model
from finewright.store.atomic import os_errors, write_bytes

_PROVENANCE = "provenance.json"
_FEEDBACK_PROVENANCE = "provenance_feedback.json"

JsonRow = dict[str, Any]  # Any: a row of any set
Settings = (
    erc7730_feedback.FeedbackSettings  # first: its one field is in the others as well
    | erc7730.BuildSettings
    | solidity.BuildSettings
    | solidity_pairs.PairSettings
)


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
    """What `data get` did: the folder, whether anything was written, and the provenance.

    `feedback` is that of the pairs and prompts, which have a record of their own."""

    folder: str
    written: bool
    provenance: Provenance
    feedback: Provenance


class Fetched(NamedTuple):
    """A package and the text of its files that the set is made from, by name."""

    package: Package
    files: Mapping[str, str]


class Content(NamedTuple):
    """The rows of some files, the settings they were built with, and what was left out."""

    rows: Mapping[str, Sequence[JsonRow]]
    settings: Settings
    dropped: dict[str, int]


class SetContent(NamedTuple):
    """A set's conversations, and what is made of them to learn from feedback: pairs and prompts."""

    conversations: Content
    feedback: Content


def build_set(name: str, out_dir: Path) -> SetReport:
    """Fetch a set's packages, build the set and write it; a folder that has it is left alone.

    Files of the same names with other content are never overwritten: that is a DataError. Each
    provenance is written after its files, so a folder that has it has them all. There are two, so
    that a folder with the conversations alone gets the pairs and prompts and keeps its record."""
    packaged = _packaged(name)
    fetched = [_fetched(package, packaged.members) for package in packaged.packages]
    conversations, feedback = _BUILDERS[name](fetched, packaged)
    files: dict[str, bytes] = {}
    provenances = []
    for record, content in ((_PROVENANCE, conversations), (_FEEDBACK_PROVENANCE, feedback)):
        rows = {file: _jsonl(rows) for file, rows in content.rows.items()}
        provenances.append(_provenance(name, packaged, content, rows))
        files |= {**rows, record: (provenances[-1].model_dump_json(indent=2) + "\n").encode()}
    written = _write(out_dir, files)
    return SetReport(
        folder=str(out_dir), written=written, provenance=provenances[0], feedback=provenances[1]
    )


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


def _erc7730(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    settings = erc7730.BuildSettings()
    (text,) = fetched[0].files.values()
    registry = erc7730.parse_registry(text, packaged.chains)
    built = erc7730.build(registry.functions, settings)
    feedback_settings = erc7730_feedback.FeedbackSettings()
    feedback = erc7730_feedback.build_feedback(built, feedback_settings)
    return SetContent(
        Content(_files(built._asdict()), settings, registry.dropped),
        Content(_files(feedback._asdict()), feedback_settings, {}),
    )


def _files(rows: Mapping[str, Sequence[JsonRow]]) -> dict[str, Sequence[JsonRow]]:
    return {f"{name}.jsonl": of_file for name, of_file in rows.items()}


def _solidity(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    settings = solidity.BuildSettings()
    sources = (
        solidity.SourceFile(
            f"{package.name}@{package.version}", name.removeprefix("package/"), text
        )
        for package, files in fetched
        for name, text in files.items()
    )
    built = solidity.build(sources, packaged.license, settings)
    pair_settings = solidity_pairs.PairSettings()
    pairs = solidity_pairs.build_pairs(built.train, built.test, pair_settings)
    preferences = {"preference_train": pairs.train, "preference_test": pairs.test}
    return SetContent(
        Content(_files({"train": built.train, "test": built.test}), settings, built.dropped),
        Content(_files(preferences), pair_settings, pairs.dropped),
    )


_BUILDERS: Mapping[str, Callable[[Sequence[Fetched], PackagedSet], SetContent]] = {
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
