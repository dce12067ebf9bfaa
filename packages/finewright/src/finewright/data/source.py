"""One source of the spec: all its rows, the digest of every record, and what became of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from finewright.data.provenance.ledger import SourceRecords, record_digest
from finewright.errors import DataError
from finewright.rows.containers.card import files_within
from finewright.rows.containers.found import ReadRow
from finewright.rows.containers.parts import parts_of
from finewright.rows.containers.stream import check_encoding
from finewright.rows.fates import ReadOptions, RowFate, RowFile, files_of, unknown_format
from finewright.rows.formats.native import family_named
from finewright.rows.notes import Json
from finewright.rows.tally import Tally, UsableRows
from finewright.schema.common import Problem, Source
from finewright.schema.data import DataSpec, SourceSpec
from finewright.schema.rows import Row
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest

HUB = "hub:"
# Text is some 4 bytes a token, and a token of a row in memory some 50 bytes: 2.5 GB.
_MOST_TEXT = 200_000_000


@dataclass(slots=True)
class RecordedRows(UsableRows):
    """Usable rows, their tally, and the digest of each record by (file, row)."""

    records: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(self, item: RowFate | Problem) -> None:
        """Take one more."""
        UsableRows.add(self, item)
        if isinstance(item, RowFate) and isinstance(item.origin, ReadRow):
            self.records[item.file, item.row] = record_digest(item.origin.data)

    def to_json(self) -> Json:
        """The rows of one file as they come from another process."""
        return {
            "rows": [row.to_json() | {"keys": row.keys} for row in self.rows],
            "records": [[row, digest] for (_, row), digest in self.records.items()],
            "tally": self.tally.to_json(),
        }

    def join(self, file: str, saved: Json) -> None:
        """Add what `to_json` says of later rows of the file."""
        self.rows += map(Row.from_json, saved["rows"])
        self.records.update({(file, row): digest for row, digest in saved["records"]})
        self.tally.join(Tally.from_json(saved["tally"]))


@dataclass(slots=True)
class SourceRows(RecordedRows):
    """All rows of a source of the spec, which lies at `path`."""

    spec: SourceSpec = field(kw_only=True)
    path: Path = field(kw_only=True)

    def describe(self) -> Source:
        """The source as a report tells it."""
        return Source(
            path=self.spec.path,
            sha256=source_digest(self.path),
            license=self.spec.license,
            owner=self.spec.owner,
        )

    def for_ledger(self) -> SourceRecords:
        """What the ledger says of its rows."""
        named = ", ".join(self.tally.formats) or "none"
        return SourceRecords(self.spec, self.path, self.records, named)


def source_path(path: str, resolve: Callable[[str], Path]) -> Path:
    """Where a source lies; `hub:OWNER/NAME` stays as it is."""
    return Path(path) if path.startswith(HUB) else resolve(path)


def files_of_source(number: int, spec: DataSpec, path: Path) -> Iterator[RowFile | Problem]:
    """The files that the source `number` of the spec stands for, and what must be said, in order."""
    source = spec.sources[number]
    family = family_named(source.format)
    if family is None:
        yield unknown_format(source.format, f"data.sources.{number}.format")
        return
    try:
        check_encoding(source.encoding)
    except DataError as error:
        key = f"data.sources.{number}.encoding"
        yield Problem(level="error", key=key, message=str(error), hint=error.hint)
        return
    kind = spec.type if source.type == "auto" else source.type
    if kind == "text" and (size := _size(path)) > _MOST_TEXT:
        yield _too_much_text(size, f"data.sources.{number}.path", path)
        return
    options = ReadOptions(kind, family, source.columns, encoding=source.encoding)
    yield from files_of(path, options)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where nothing lies there."""
    files = files_within(path) if path.is_dir() else [path] if path.is_file() else []
    return sum(file.stat().st_size for file in files)


def _too_much_text(size: int, key: str, path: Path) -> Problem:
    most = _MOST_TEXT // 10**6
    return Problem(
        level="error",
        key=key,
        message=f"{size / 1e9:.1f} GB of text, and a run holds its rows in memory: at most {most} MB",
        hint=f"split -C {most}m {path.name} part- cuts a file at ends of lines; train on its parts, run after"
        " run (base_models: [runs/...])",
    )


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
