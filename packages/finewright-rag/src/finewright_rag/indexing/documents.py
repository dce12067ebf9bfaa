"""The documents that a spec names, for an index: files by their paths, lines of JSONL by their ids.

Covered: what is missing, scanned, broken, too long, or there twice. A line whose groups are not clear is not
read, as nobody could say who may see it. Not covered: what a text says."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from finewright import plugins
from finewright.errors import DataError
from finewright.judge.searchable import is_text
from finewright.rows.containers.found import ReadRow, file_problem
from finewright.rows.containers.kinds import TEXT_SUFFIXES
from finewright.rows.document_text import MEDIA_TYPES, Refused, document
from finewright.rows.documents import documents_at
from finewright.rows.read import records
from finewright.rows.sections import sections
from finewright.schema.common import Problem, errors_of
from finewright.schema.listing import Listing
from finewright.schema.passages import Document
from finewright.schema.rag import DocumentsAt
from finewright.store.atomic import os_errors

LONGEST = 10_000_000
"""The most characters of a document, as of a line of JSONL: some 10,000 chunks."""

_RECORDS = (".jsonl", ".ndjson")
_AS_LONG_AS_ITS_TEXT = (*TEXT_SUFFIXES, ".html", ".htm")
_SPLIT = "split it, by its chapters for example"
_NO_ID = "every document needs an `id` of its own"
_MUST = {
    "id": "must be text of 1 to 500 characters",
    "groups": "must be a list of names, [] for everyone",
}


class _Record(BaseModel):
    """A line of JSONL; other keys are passed over."""

    model_config = ConfigDict(strict=True)

    id: Annotated[str, Field(min_length=1, max_length=500)]
    text: str
    title: str = ""
    source: str = ""
    source_file: str = ""
    path: str = ""
    license: str = ""
    groups: list[Annotated[str, Field(min_length=1)]] | None = None

    @field_validator("groups", mode="before")
    @classmethod
    def _refuse_null(cls, groups: object) -> object:
        """Nothing there is no list, and nobody knows whether everyone or no one was meant."""
        if groups is None:
            raise ValueError("null")
        return groups


class DocumentFile(NamedTuple):
    """A file that is read, the id of its document if it is one, how many lines or documents it has, and
    what holds of those that do not say otherwise."""

    path: Path
    id: str
    size: int
    usual: DocumentsAt

    @property
    def is_records(self) -> bool:
        """Whether it is JSONL, with a document a line."""
        return self.path.suffix.lower() in _RECORDS


@dataclass(slots=True)
class Documents:
    """Reads documents one at a time; what could not be read is counted by reason, and listed."""

    places: Sequence[DocumentFile]
    listing: Listing
    dropped: Counter[str] = field(default_factory=Counter)
    seen: dict[str, str] = field(default_factory=dict)
    done: int = 0

    def read(self) -> Iterator[Document]:
        """Each document with its digest, while `done` counts. Raises DataError where two have one id."""
        before = 0
        for place in self.places:
            for row, found in self._lines(place) if place.is_records else self._file(place):
                self.done = before + row
                yield self._with_digest(found, place, row)
            before += place.size
            self.done = before

    @property
    def total(self) -> int:
        """Documents and lines, blank ones among them."""
        return sum(place.size for place in self.places)

    def _file(self, place: DocumentFile) -> Iterator[tuple[int, Document]]:
        try:
            _check_name(place.id)
            _check_size(place.path)
            found = document(place.path)
            _check_text(found.text)
        except Refused as error:
            self.dropped[error.reason] += 1
            self.listing.add(file_problem(str(place.path), str(error), error.hint))
            return
        for problem in found.doubts(str(place.path)):
            self.listing.add(problem)
        usual = place.usual
        groups = tuple(sorted(set(usual.groups)))
        yield 1, Document(place.id, found.text, found.title, usual.source, usual.license, groups)

    def _lines(self, place: DocumentFile) -> Iterator[tuple[int, Document]]:
        for found in records(place.path):
            if isinstance(found, ReadRow):
                try:
                    yield found.row, _document(found, place.usual)
                except Refused as error:
                    self.dropped[error.reason] += 1
                    self.listing.add(file_problem(found.file, str(error), error.hint, found.row))
            else:
                self.dropped["unreadable"] += found.level == "error"
                self.listing.add(found)

    def _with_digest(self, found: Document, place: DocumentFile, row: int) -> Document:
        here = f"{place.path}:{row}" if place.is_records else str(place.path)
        if there := self.seen.get(found.id):
            raise DataError(f"{here}: id {found.id!r} is already that of {there}", hint=_NO_ID)
        self.seen[found.id] = here
        return replace(found, sha256=_digest(found))


def find_documents(named: Sequence[str | DocumentsAt], resolve: Callable[[str], Path]) -> Documents:
    """What the paths of a spec name, to be read. A file's id is its path as the spec names it.

    Raises DataError, with a line for each, for a path that leads nowhere or to nothing that is read, and for
    a file that two of them name for other groups."""
    listing = Listing()
    places: dict[Path, DocumentFile] = {}
    for item in named:
        usual = DocumentsAt(path=item) if isinstance(item, str) else item
        for place in _places(usual, resolve(usual.path), listing):
            first = places.setdefault(place.path.resolve(), place)
            if set(first.usual.groups) != set(place.usual.groups):
                listing.add(_for_whom(first, place))
    problems = listing.problems()
    wrong = [problem.line() for problem in errors_of(problems)]
    if wrong:
        raise DataError("\n".join(wrong))
    return Documents(list(places.values()), listing)


def _places(usual: DocumentsAt, path: Path, listing: Listing) -> Iterator[DocumentFile]:
    if path.is_file() and path.suffix.lower() in _RECORDS:
        yield DocumentFile(path, "", _num_lines(path), usual)
    elif not path.exists():
        listing.add(file_problem(str(path), "there is no such file or folder", _mend(path)))
    elif path.is_file() and path.suffix.lower() not in MEDIA_TYPES:
        hint = f"{', '.join([*MEDIA_TYPES, *_RECORDS])} are read"
        listing.add(file_problem(str(path), "this is no document that is read", hint))
    else:
        yield from _files_at(usual, path, listing)


def _files_at(usual: DocumentsAt, path: Path, listing: Listing) -> Iterator[DocumentFile]:
    found = list(documents_at([path], listing))
    for file, inside in found:
        below = inside if path.is_dir() else ""
        yield DocumentFile(file, str(PurePosixPath(usual.path, below)), 1, usual)
    if lines := [] if found or not path.is_dir() else sorted(path.glob("*.jsonl")):
        what = "JSONL in a folder is read where it is named"
        listing.add(file_problem(str(path), what, ", ".join(map(str, lines[:3]))))


def _for_whom(first: DocumentFile, again: DocumentFile) -> Problem:
    """Nobody could say who may see what two sources name for other groups."""
    whose = " and ".join(
        f"by {place.usual.path!r} for {', '.join(place.usual.groups) or 'everyone'}"
        for place in (first, again)
    )
    return file_problem(
        str(again.path), f"named twice, {whose}", "name it once, or with the same groups"
    )


def _mend(path: Path) -> str:
    """The command that makes it, where its folder has the name of a packaged set."""
    for folder in (path, path.parent):
        if folder.name in plugins.list_known("set"):
            return f"finewright data get {folder.name} --out {folder}"
    return "check the path"


def _num_lines(path: Path) -> int:
    with os_errors(path), path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) or 1


def _check_name(id: str) -> None:
    """Raise Refused for a file whose name is no text, which an id must be."""
    if not is_text(id):
        raise Refused("unreadable", "its name is not UTF-8", "rename it")


def _check_size(path: Path) -> None:
    """Raise Refused for a file so long that its text must be too long; a PDF's pictures are no text."""
    with os_errors(path):
        size = path.stat().st_size
    # A character has four bytes at most.
    if path.suffix.lower() in _AS_LONG_AS_ITS_TEXT and size > 4 * LONGEST:
        raise _too_long(f"{size / 1e6:.0f} MB")


def _check_text(text: str) -> None:
    """Raise Refused for what no passage is cut from."""
    if not text.strip():
        raise Refused("no_text", "there is no text in it")
    if next(sections(text, len(text)), None) is None:
        raise Refused("no_text", "it has headings and nothing under them")
    if len(text) > LONGEST:
        raise _too_long(f"{len(text) / 1e6:.1f} million characters")


def _too_long(size: str) -> Refused:
    what = f"{size} long; a document has at most {LONGEST / 1e6:g} million characters"
    return Refused("too_long", what, _SPLIT)


def _document(row: ReadRow, usual: DocumentsAt) -> Document:
    try:
        record = _Record.model_validate(row.data)
    except ValidationError as error:
        raise _wrong(error) from None
    text = record.text.replace("\0", "")
    _check_text(text)
    own = "/".join(part for part in (record.source, record.source_file) if part) or record.path
    license = record.license or usual.license
    groups = usual.groups if record.groups is None else record.groups
    source, allowed = own or usual.source, tuple(sorted(set(groups)))
    return Document(record.id, text, record.title, source, license, allowed)


def _wrong(error: ValidationError) -> Refused:
    first = error.errors(include_url=False)[0]
    key = str(first["loc"][0])
    if first["type"] == "missing":
        return Refused("unreadable", f"{key}: is missing", "a line has `id` and `text` at least")
    return Refused("unreadable", f"{key}: {_MUST.get(key, 'must be text')}")


def _digest(found: Document) -> str:
    """Of all that an answer may quote, and of who may see it."""
    parts = [found.title, found.text, found.source, found.license, found.groups]
    return sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
