"""JSONL: one JSON object a line, each line read for itself; and files of them, which are written
whole or not at all."""

import codecs
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from finewright.errors import DataError
from finewright.rows.containers.found import Found, ReadRow, Unread, file_problem, not_utf8
from finewright.rows.containers.json_rules import row_object
from finewright.store.atomic import beside, os_errors

LONGEST = 10_000_000


class Line(NamedTuple):
    """A line, from 1, with its place in the unpacked file.

    `content` is None where it is longer than LONGEST. A mark before it is not part of it."""

    row: int
    offset: int
    content: bytes | None
    has_mark: bool = False


def lines_of(chunks: Iterable[bytes], *, with_blank: bool = False) -> Iterator[Line]:
    """The lines in order, without their ends; holds one line and one chunk at a time.

    Blank lines are counted, and given only on demand. What stands before the end of a broken stream is
    given first; then its DataError is raised."""
    row, offset, rest, skipped = 1, 0, b"", 0
    troubles: list[DataError] = []
    for chunk in _until_broken(chunks, troubles):
        if run := b"" if rest or skipped else _blank_run(chunk, with_blank):
            row, offset, rest = row + run.count(b"\n"), offset + len(run), chunk[len(run) :]
            if with_blank:
                # As one line that holds all their ends, which is the same to who reads on.
                yield Line(row - 1, offset, run.replace(b"\r", b"")[:-1])
            continue
        *whole, tail = (rest + chunk).split(b"\n")
        for content in whole:
            if skipped or with_blank or content.strip():
                yield _line(row, offset, content, skipped)
            offset += skipped + len(content) + 1
            row, skipped = row + 1, 0
        rest = tail
        if skipped or len(rest) > LONGEST:
            skipped, rest = skipped + len(rest), b""
    if skipped or rest.strip():
        yield _line(row, offset, rest, skipped)
    if troubles:
        raise troubles[0]


def _until_broken(chunks: Iterable[bytes], troubles: list[DataError]) -> Iterator[bytes]:
    try:
        yield from chunks
    except DataError as error:
        troubles.append(error)


def _blank_run(chunk: bytes, with_blank: bool) -> bytes:
    """The chunk's lines where all are blank: millions of them are read at the speed of the disk."""
    is_blank = not chunk.strip(b"\r\n") if with_blank else chunk.isspace()
    return chunk[: chunk.rfind(b"\n") + 1] if is_blank else b""


def _line(row: int, offset: int, content: bytes, skipped: int) -> Line:
    if skipped + len(content) > LONGEST:
        return Line(row, offset, None)
    line = content.removeprefix(codecs.BOM_UTF8)
    mark_size = len(content) - len(line)
    return Line(row, offset + mark_size, line.rstrip(b"\r"), has_mark=mark_size > 0)


def json_lines(file: str, lines: Iterable[Line]) -> Iterator[Found]:
    """A row or an unread row for each line; a byte order mark is said before its row."""
    for line in lines:
        if line.has_mark:
            what = "a byte order mark was skipped"
            yield file_problem(file, what, "save as UTF-8 without BOM", line.row, "warning")
        # A mark alone on its line is no row.
        if line.content is None or line.content.strip():
            yield parse_line(file, line)


def parse_line(file: str, line: Line) -> ReadRow | Unread:
    """The row that the line is."""
    if line.content is None:
        what = f"longer than {LONGEST // 1_000_000} MB, so it is not read"
        hint = f"split it; it begins at byte {line.offset}"
        return Unread(file_problem(file, what, hint, line.row))
    try:
        return ReadRow(file, line.row, *row_object(line.content.decode()))
    except DataError as error:
        what, hint = str(error), error.hint
    except UnicodeDecodeError as error:
        byte, at = line.content[error.start], line.offset + error.start
        where = f"byte 0x{byte:02x} at column {error.start + 1}, offset {at} of the file"
        return Unread(not_utf8(file, where, line.row), line.content)
    return Unread(file_problem(file, what, hint, line.row), line.content)


@contextmanager
def jsonl_at(path: Path) -> Iterator[Callable[[object], None]]:
    """A function that writes a record; the file is at `path` when the block ends well, else not at all.

    The folder must exist; what was at `path` is replaced."""
    temporary = beside(path)
    with os_errors(path):
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                yield lambda record: _write(file.write, record)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _write(write: Callable[[str], object], record: object) -> None:
    write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
