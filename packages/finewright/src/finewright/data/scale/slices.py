"""Files cut into slices of whole lines, so that many processes can each read their own.

JSONL in UTF-8 is cut where it lies. Any other container is first unrolled, one row after another, into a file
of lines beside the work; nothing is ever in memory as a whole."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.found import Found, ReadRow, Repair, Unread
from finewright.rows.containers.lines import json_lines, lines_of
from finewright.rows.fates import RowFate, RowFile, fates_in
from finewright.rows.read import as_stated, container_of, rows_of
from finewright.schema.common import Problem
from finewright.store.atomic import os_errors

SLICE_BYTES = 4 << 20
_BLOCK = 1 << 20


class Slice(NamedTuple):
    """The lines of `path` from byte `start` to `end`; the first is line `first_row` of the file.

    `is_unrolled` says that `path` is not the file itself but what it was unrolled to. Without an `end` it is
    the file as a whole, whatever its container."""

    number: int
    file: RowFile
    path: Path
    start: int = 0
    end: int | None = None
    first_row: int = 1
    is_unrolled: bool = False

    @property
    def num_bytes(self) -> int:
        """How much of the file it is."""
        return (self.path.stat().st_size if self.end is None else self.end) - self.start


def absolute(file: RowFile) -> RowFile:
    """The file by its place from the root, for a worker may have another current folder.

    Links stay links: a hub's file is one, and what it leads to has another name."""
    part = file.part
    root = part.root.absolute() if part.root else None
    return file._replace(part=replace(part, path=part.path.absolute(), root=root))


def is_cut_where_it_lies(part: StatedFile) -> bool:
    """Whether the file is plain JSONL. What cannot be read at all is not, and says so when it is unrolled."""
    try:
        kind, stream = container_of(part)
    except DataError:
        return False
    is_plain = not stream.packing and not stream.has_returns_alone
    return kind == "lines" and is_plain and stream.encoding == "utf-8"


def unroll(part: StatedFile, path: Path) -> None:
    """Write all that a file gives to `path`, a line each."""
    with os_errors(path), path.open("w", encoding="utf-8", newline="\n") as file:
        for found in rows_of(part):
            file.write(json.dumps(_unroll(found), ensure_ascii=False) + "\n")


def slices(
    file: RowFile, path: Path, first_number: int, size: int = SLICE_BYTES
) -> Iterator[Slice]:
    """The slices of `path`, each of `size` bytes and what is left of its last line."""
    is_unrolled = path != file.part.path
    start, row, number = 0, 1, first_number
    with os_errors(path), path.open("rb") as stream:
        while block := stream.read(size):
            end, num_lines = start + len(block), block.count(b"\n")
            while not block.endswith(b"\n"):
                # A line may be of any length, so its rest is read in pieces.
                block = stream.readline(_BLOCK)
                if not block:
                    break
                end, num_lines = end + len(block), num_lines + block.count(b"\n")
            yield Slice(number, file, path, start, end, row, is_unrolled)
            start, row, number = end, row + num_lines, number + 1


def fates_of(part: Slice) -> Iterator[RowFate | Problem]:
    """The fate of each of the slice's rows, named by the file and the row they have in the whole."""
    return fates_in(rows_of_slice(part), part.file.options)


def rows_of_slice(part: Slice) -> Iterator[Found]:
    """What the slice's lines are."""
    file = part.file.part
    if part.end is None:
        yield from rows_of(file)
        return
    if part.is_unrolled:
        for content in _own_lines(part, part.end):
            yield _roll_up(json.loads(content))
        return
    lines = (
        line._replace(row=line.row + part.first_row - 1, offset=line.offset + part.start)
        for line in lines_of(_bytes_of(part, part.end))
    )
    yield from as_stated(json_lines(file.name, lines), file)


def _bytes_of(part: Slice, end: int) -> Iterator[bytes]:
    with os_errors(part.path), part.path.open("rb") as file:
        file.seek(part.start)
        left = end - part.start
        while left:
            chunk = file.read(min(_BLOCK, left))
            if not chunk:
                raise _shorter(part.path)
            left -= len(chunk)
            yield chunk


def _own_lines(part: Slice, end: int) -> Iterator[bytes]:
    """The lines that `unroll` wrote: of any length, for a table's row may be longer than a line of JSONL."""
    with os_errors(part.path), part.path.open("rb") as file:
        file.seek(part.start)
        left = end - part.start
        while left:
            line = file.readline(left)
            if not line:
                raise _shorter(part.path)
            left -= len(line)
            yield line


def _shorter(path: Path) -> DataError:
    return DataError(f"{path}: the file became shorter", hint="run it again")


def _unroll(found: Found) -> list[object]:
    if isinstance(found, ReadRow):
        return ["row", *found]
    if isinstance(found, Unread):
        content = None if found.content is None else b64encode(found.content).decode()
        return ["unread", found.problem.model_dump(), content, found.is_table]
    return ["problem", found.model_dump()]


def _roll_up(line: Sequence[Any]) -> Found:  # Any: as `_unroll` wrote it
    kind, *rest = line
    if kind == "row":
        file, row, data, repairs = rest
        return ReadRow(file, row, data, tuple(Repair(*repair) for repair in repairs))
    problem = Problem.model_validate(rest[0])
    if kind == "problem":
        return problem
    content, is_table = rest[1:]
    return Unread(problem, None if content is None else b64decode(content), is_table)
