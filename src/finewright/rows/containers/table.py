"""CSV and TSV: the dialect told by the first lines, the columns by the header, one row a record."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from finewright.errors import DataError
from finewright.rows.containers.found import Found, ReadRow, Unread, not_utf8, said
from finewright.rows.containers.json_rules import check_values
from finewright.rows.containers.lines import LONGEST, Line
from finewright.schema.common import Problem

_DELIMITERS = ",\t;|"
_SNIFFED_LINES = 50
# A cell of these columns that is a JSON list of objects is one; any other cell stays text.
# fmt: off
_LISTS = frozenset((
    "messages", "conversations", "prompt", "completion", "chosen", "rejected", "tools", "contents", "history",
))
# fmt: on
_FLAGS = {"true": True, "false": False}


def delimiter_of(head: bytes, suffix: str) -> str:
    """The delimiter that splits most of the first lines into as many cells as the header has.

    A tie goes to the suffix' own, then to the comma; empty where nothing splits the header."""
    lines = head.decode("utf-8-sig", "replace").splitlines(keepends=True)[:_SNIFFED_LINES]
    own = "\t" if suffix == ".tsv" else ","
    scores = {mark: _score(lines, mark) for mark in _DELIMITERS}
    best = max(scores, key=lambda mark: (scores[mark], mark == own))
    return best if scores[best] else ""


def _score(lines: Sequence[str], delimiter: str) -> int:
    try:
        records = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return 0
    width = len(records[0]) if records else 0
    return sum(len(record) == width for record in records) if width > 1 else 0


def table_rows(file: str, lines: Iterable[Line], delimiter: str) -> Iterator[Found]:
    """The records under the header; a row is the line that its record begins at.

    `lines` keep their blank ones, which may be part of a cell."""
    # The limit is the process's, and only guards against a quote that is never closed.
    csv.field_size_limit(LONGEST)
    source = _Source(lines)
    records = csv.reader(source, delimiter=delimiter or ",", strict=True)
    header: list[str] = []
    while True:
        begin = source.row + 1
        source.taken.clear()
        try:
            record = next(records, None)
        except csv.Error as error:
            yield from source.said(file)
            yield _broken(file, begin, source, str(error))
            continue
        yield from source.said(file)
        if record is None:
            return
        if not any(cell.strip() for cell in record):
            continue
        if header:
            yield _row(file, begin, header, record, source)
            continue
        header = [cell.strip() for cell in record]
        if wrong := _header_problem(file, header):
            yield wrong
            return


@dataclass(slots=True)
class _Source:
    """Lines as csv wants them: text with its end. Lines that are too long are left out, and said."""

    lines: Iterable[Line]
    row: int = 0
    taken: list[bytes] = field(default_factory=list)
    too_long: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.row = line.row
            if line.content is None:
                self.too_long.append(line.row)
            else:
                self.taken.append(line.content)
                yield line.content.decode("utf-8", "surrogateescape") + "\n"

    def content(self) -> bytes:
        """The lines of the record that was read last."""
        return b"\n".join(self.taken)

    def said(self, file: str) -> Iterator[Unread]:
        """The lines that were left out since the last call."""
        for row in self.too_long:
            what = f"longer than {LONGEST // 1_000_000} MB, so it is not read"
            yield Unread(said(file, what, "split it", row))
        self.too_long.clear()


def _broken(file: str, begin: int, source: _Source, reason: str) -> Unread:
    where = f", with all up to line {source.row}" if source.row > begin else ""
    hint = "double each quote inside a quoted cell, and close each quote"
    problem = said(file, f"broken CSV{where}: {reason}", hint, begin)
    return Unread(problem, source.content(), is_table=True)


def _header_problem(file: str, header: Sequence[str]) -> Problem | None:
    if byte := _foreign_byte(header):
        return not_utf8(file, f"byte {byte} in the header, so no row is read")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice and twice[0]:
        return said(file, f"the column {twice[0]!r} is there twice", "rename one of them")
    if "" in header:
        what = f"column {header.index('') + 1} has no name in the header"
        return said(file, what, "name it; the first line names the columns")
    return None


def _foreign_byte(cells: Sequence[str]) -> str:
    """The first byte that is not UTF-8, which `surrogateescape` carries as half a character."""
    foreign = (c for cell in cells for c in cell if "\udc80" <= c <= "\udcff")
    found = next(foreign, "")
    return f"0x{ord(found) - 0xDC00:02x}" if found else ""


def _row(
    file: str, row: int, header: Sequence[str], record: Sequence[str], source: _Source
) -> ReadRow | Unread:
    if len(record) != len(header):
        what = f"{len(record)} cells, and the header has {len(header)}"
        problem = said(file, what, "quote cells that hold the delimiter or a line end", row)
        return Unread(problem, source.content(), is_table=True)
    try:
        data = {name: _value(name, cell) for name, cell in zip(header, record, strict=True)}
        check_values(data)
    except DataError as error:
        problem = said(file, str(error), error.hint, row)
        if byte := _foreign_byte(record):
            column = next(n for n, c in zip(header, record, strict=True) if _foreign_byte([c]))
            problem = not_utf8(file, f"byte {byte} in {column!r}", row)
        return Unread(problem, source.content(), is_table=True)
    return ReadRow(file, row, data)


def _value(name: str, cell: str) -> Any:  # Any: free JSON
    if name == "label":
        return _FLAGS.get(cell.strip().lower(), cell)
    if name in _LISTS and cell.lstrip().startswith("["):
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            return cell
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
    return cell
