"""Rows out of a file or folder: whatever its bytes are, the answer is rows and problems, never a crash; where
nothing is at the path, a DataError.

Covered: containers and encodings, byte order marks, JSON's own rules, and what JSON libraries take but
nothing after them can (NaN, infinities, repeated keys, lone surrogates, deep nesting). Not covered:
what the objects mean, which is validate.py's question."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from finewright.errors import DataError
from finewright.rows.containers.card import StatedFile, with_usual_tags
from finewright.rows.containers.columnar import arrow_rows, parquet_rows
from finewright.rows.containers.document import array_rows, object_rows
from finewright.rows.containers.encodings import (
    are_mixed_with_utf8,
    encoding_hint,
)
from finewright.rows.containers.found import Found, ReadRow, Unread, file_problem, not_utf8
from finewright.rows.containers.json_rules import check_text
from finewright.rows.containers.kinds import BINARY_SUFFIXES, Kind, kind_of, suffix_of
from finewright.rows.containers.lines import LONGEST, json_lines, lines_of
from finewright.rows.containers.parts import parts_of, refuse_missing
from finewright.rows.containers.sheet import sheet_rows
from finewright.rows.containers.stream import CHUNK, OpenedFile, open_stream
from finewright.rows.containers.table import delimiter_of, table_rows
from finewright.schema.common import Problem
from finewright.schema.listing import NOT_UTF8, Listing

# Enough for every encoding's usual letters, and few enough to read all of them in each encoding.
_ENOUGH_LINES = 1000


def rows_of(part: StatedFile) -> Iterator[Found]:
    """All that the file gives, in its order: rows, rows that cannot be read, and what must be said.

    Holds one row and a chunk of the file at a time, except for one JSON object that holds the rows."""
    is_silent = True
    try:
        for found in as_stated(_read_found(part), part):
            is_silent = is_silent and isinstance(found, Problem) and found.level != "error"
            yield found
    except DataError as error:
        is_silent = False
        yield file_problem(part.name, str(error), error.hint)
    if is_silent:
        yield file_problem(part.name, "there are no rows in it", "put rows into it, or take it out")


def as_stated(items: Iterable[Found], part: StatedFile) -> Iterator[Found]:
    """What was found, the rows in ShareGPT's own words, and what is no UTF-8 with what it may be instead."""
    hint = ""
    for found in items:
        if isinstance(found, ReadRow):
            yield with_usual_tags(found, part)
        elif _is_not_utf8(found):
            hint = hint or _encoding_hint(part)
            yield _add_hint(found, hint)
        else:
            yield found


def _is_not_utf8(found: Unread | Problem) -> bool:
    problem = found.problem if isinstance(found, Unread) else found
    return problem.message.startswith(NOT_UTF8)


def _add_hint(found: Unread | Problem, hint: str) -> Unread | Problem:
    if isinstance(found, Unread):
        return found._replace(problem=found.problem.model_copy(update={"hint": hint}))
    return found.model_copy(update={"hint": hint})


def _encoding_hint(part: StatedFile) -> str:
    """What the file's text may be, by its first lines that are not ASCII."""
    if part.encoding:
        return f"--encoding {part.encoding}, or the source's encoding in a spec, does not fit it"
    sample, seen = list[bytes](), set[int]()
    with suppress(DataError):
        for line in lines_of(open_stream(part.path).chunks):
            content = line.content or b""
            # Of a long file also each line with a byte that none had before: by it two encodings may differ.
            if not content.isascii() and (
                len(sample) < _ENOUGH_LINES or not seen.issuperset(content)
            ):
                sample.append(content[:CHUNK])
                seen.update(content)
    if are_mixed_with_utf8(sample):
        return "other lines are UTF-8: write these anew as UTF-8, for --encoding would spoil the others"
    return encoding_hint(b"\n".join(sample))


def container_of(part: StatedFile) -> tuple[Kind, OpenedFile]:
    """The file's container and its bytes; raises DataError where it is none that is read."""
    stream = open_stream(
        part.path, "" if suffix_of(part.name) in BINARY_SUFFIXES else part.encoding
    )
    kind = kind_of(stream.head, stream.is_whole, part.name)
    if kind in ("parquet", "arrow", "sheet") and stream.packing:
        what = f"this is {kind.capitalize()} in a {stream.packing} archive"
        raise DataError(what, hint="unpack it; such files are packed inside already")
    return kind, stream


def _read_found(part: StatedFile) -> Iterator[Found]:
    kind, stream = container_of(part)
    file = part.name
    if stream.encoding not in ("utf-8", part.encoding):
        what = f"{stream.encoding.upper()} text, read as such"
        yield file_problem(file, what, "save as UTF-8", level="warning")
    if kind == "parquet":
        yield from parquet_rows(file, part.path)
    elif kind == "arrow":
        yield from arrow_rows(file, part.path)
    elif kind == "sheet":
        yield from sheet_rows(file, part.path)
    elif kind == "text":
        yield _read_whole_text(part, stream.chunks)
    else:
        yield from _of_text(file, kind, stream)


def _of_text(file: str, kind: Kind, stream: OpenedFile) -> Iterator[Found]:
    chunks = stream.chunks
    if stream.has_returns_alone:
        chunks = (chunk.replace(b"\r", b"\n") for chunk in chunks)
    if kind == "array":
        yield from array_rows(file, chunks)
    elif kind == "objects":
        yield from object_rows(file, chunks)
    elif kind == "table":
        delimiter = delimiter_of(stream.head, suffix_of(file))
        yield from table_rows(file, lines_of(chunks, with_blank=True), delimiter)
    else:
        yield from json_lines(file, lines_of(chunks))


def _read_whole_text(part: StatedFile, chunks: Iterable[bytes]) -> ReadRow | Unread:
    """The file as one row of text; whole or not at all."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > LONGEST:
            what = f"longer than {LONGEST // 1_000_000} MB, so it is not read"
            how = f"split it at ends of lines: split -C 8m --additional-suffix=.txt {part.path.name} part-"
            return Unread(file_problem(part.name, what, how, 1))
    try:
        text = content.decode("utf-8-sig")
        check_text(text)
    except UnicodeDecodeError as error:
        where = f"byte 0x{content[error.start]:02x} at offset {error.start} of the file"
        return Unread(not_utf8(part.name, where, 1), bytes(content))
    except DataError as error:
        return Unread(file_problem(part.name, str(error), error.hint, 1))
    return ReadRow(part.name, 1, {"text": text, "path": _place(part)})


def _place(part: StatedFile) -> str:
    path = part.path.relative_to(part.root) if part.root else Path(part.path.name)
    return path.as_posix().encode(errors="replace").decode()


__all__ = ["ReadRow", "ReadRows", "read_rows", "records"]


class ReadRows(NamedTuple):
    """What a path gave. `num_bad` counts the rows that cannot be read, also those not listed."""

    rows: tuple[ReadRow, ...]
    problems: tuple[Problem, ...]
    num_bad: int


def records(path: Path, *, name: str = "") -> Iterator[ReadRow | Problem]:
    """The rows of a file, a folder or `hub:OWNER/NAME`, one at a time, and problems among them.

    An error that names a row is that of a row which cannot be read; any other is the file's. `name` is
    what messages call a file, by default its path. Blank lines are skipped and still count as lines. Raises
    DataError where there is no such file or folder."""
    refuse_missing(path, name)
    for part in parts_of(path, name):
        if isinstance(part, Problem):
            yield part
        else:
            for found in rows_of(part):
                yield found.problem if isinstance(found, Unread) else found


def read_rows(path: Path, *, name: str = "") -> ReadRows:
    """All that `records` gives, in memory."""
    rows, listing, num_bad = [], Listing(), 0
    for found in records(path, name=name):
        if isinstance(found, ReadRow):
            rows.append(found)
        else:
            listing.add(found)
            num_bad += found.level == "error" and found.row is not None
    return ReadRows(tuple(rows), listing.problems(), num_bad)
