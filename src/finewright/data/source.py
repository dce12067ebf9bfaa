"""One source of the spec: all its rows, the digest of every record, and what became of each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from finewright.data.check import asked_of
from finewright.data.provenance.ledger import SourceRecords, record_digest
from finewright.data.validate import Asked, checked
from finewright.rows.containers.found import Found, ReadRow, Unread
from finewright.rows.containers.manifest import Part
from finewright.rows.containers.parts import parts_of
from finewright.rows.containers.rows import rows_of
from finewright.rows.formats.table import family_named, meant_instead
from finewright.schema.common import Problem, RowCounts, Source
from finewright.schema.data import DataSpec, DataType, SourceSpec
from finewright.schema.listing import Listing
from finewright.schema.rows import Row
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest

HUB = "hub:"


@dataclass(slots=True)
class SourceRows:
    """The usable rows of a source, counts that add up, and the digest of each record by (file, row)."""

    spec: SourceSpec
    path: Path
    rows: list[Row] = field(default_factory=list)
    types: Counter[DataType] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    records: dict[tuple[str, int], str] = field(default_factory=dict)
    formats: Counter[str] = field(default_factory=Counter)
    listing: Listing = field(default_factory=Listing)

    def read(self, items: Iterable[Found], asked: Asked) -> None:
        """Check what reading gives, and count what becomes of each row."""
        for item in items:
            if isinstance(item, ReadRow):
                self._check(item, asked)
            elif isinstance(item, Unread):
                self.dropped["unreadable"] += 1
                self.listing.add(item.problem)
            else:
                self.listing.add(item)

    def _check(self, row: ReadRow, asked: Asked) -> None:
        became = checked(row, asked)
        self.rows += became.rows
        self.types.update(became.types)
        self.dropped.update(became.dropped)
        self.records[row.file, row.row] = record_digest(row.data)
        if became.form:
            self.formats[became.form.family] += 1
        for problem in became.problems:
            self.listing.add(problem)

    @property
    def counts(self) -> RowCounts:
        """What became of the rows."""
        return RowCounts(
            rows_in=len(self.rows) + self.dropped.total(),
            rows_kept=len(self.rows),
            rows_dropped=dict(self.dropped),
        )

    def described(self) -> Source:
        """The source as a report tells it."""
        return Source(
            path=self.spec.path,
            sha256=source_digest(self.path),
            license=self.spec.license,
            owner=self.spec.owner,
        )

    def for_ledger(self) -> SourceRecords:
        """What the ledger says of its rows."""
        named = ", ".join(self.formats) or "none"
        return SourceRecords(self.spec, self.path, self.records, named)


def source_path(path: str, resolve: Callable[[str], Path]) -> Path:
    """Where a source lies; `hub:OWNER/NAME` stays as it is."""
    return Path(path) if path.startswith(HUB) else resolve(path)


class AskedPart(NamedTuple):
    """A file of a source, and what is asked of its rows."""

    part: Part
    asked: Asked


def parts_asked(number: int, spec: DataSpec, path: Path) -> Iterator[AskedPart | Problem]:
    """The files that the source `number` of the spec stands for, and what must be said, in order."""
    source = spec.sources[number]
    family = family_named(source.format)
    if family is None:
        yield _unknown_format(number, source.format)
        return
    asked = Asked(spec.type, family, source.columns)
    for part in parts_of(path):
        yield part if isinstance(part, Problem) else AskedPart(part, asked_of(part, asked))


def read_source(number: int, spec: DataSpec, path: Path) -> SourceRows:
    """Read and check all that the source `number` of the spec stands for. Problems are in the listing."""
    found = SourceRows(spec.sources[number], path)
    for item in parts_asked(number, spec, path):
        if isinstance(item, Problem):
            found.listing.add(item)
        else:
            found.read(rows_of(item.part), item.asked)
    return found


def source_digest(path: Path) -> str:
    """sha256 of a file; of a folder or a hub data set, over the digests of the files that are read.

    Empty where there is nothing to read."""
    parts = [part for part in parts_of(path) if not isinstance(part, Problem)]
    if len(parts) == 1 and parts[0].path == path:
        return sha256_file(path)
    files = [[_inside(part.path, path), sha256_file(part.path)] for part in parts]
    return digest(files) if files else ""


def _inside(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name


def _unknown_format(number: int, name: str) -> Problem:
    return Problem(
        level="error",
        key=f"data.sources.{number}.format",
        message=f"unknown format {name!r}",
        hint=meant_instead(name),
    )
