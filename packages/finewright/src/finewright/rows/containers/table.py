"""CSV and TSV: the dialect told by the first lines, the columns by the header, one row a record.

A first line `sep=;`, as Excel writes it, names the delimiter and is no record.

A CSV record whose quoted cells hold quotes that nobody doubled: `"say "hi" now",yes`.

A quote closes its cell only before a delimiter or the end of the line, blanks between left out; any other is
text, as is all of `"hi" she said,yes`. Python's csv reads such cells too, but loses quotes of them. Where
quotes have a backslash before them, as MySQL and Spark write them, and that gives a record of the table's
width, it is no part of the text."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from finewright.errors import DataError
from finewright.rows.containers.found import Found, ReadRow, Repair, Unread, file_problem, not_utf8
from finewright.rows.containers.json_rules import (
    SPEAKERS,
    check_values,
    find_list,
    objects_in,
    parse_printed,
)
from finewright.rows.containers.lines import LONGEST, Line
from finewright.rows.formats.turns import speaks
from finewright.schema.common import Problem


def cells_of(
    text: str, delimiter: str, width: int, *, may_be_open: bool = False
) -> Sequence[str] | None:
    """The cells of the record; None where a quoted cell does not end, unless that is then read as text."""
    if '\\"' in text:
        cells = _cells(text, delimiter, may_be_open, '\\"')
        if cells is not None and len(cells) == width:
            return cells
    return _cells(text, delimiter, may_be_open, '""')


def _cells(text: str, delimiter: str, may_be_open: bool, escaped: str) -> Sequence[str] | None:
    cells: list[str] = []
    at, end = 0, len(text)
    while True:
        is_quoted = text[at : at + 1] == '"'
        close = _closing(text, at + 1, delimiter, escaped == '\\"') if is_quoted else -1
        if close is None and not may_be_open:
            return None
        if close is not None and close > 0:
            cells.append(text[at + 1 : close].replace(escaped, '"'))
            at = _next(text, delimiter, close + 1)
        else:
            stop = _next(text, delimiter, at)
            cells.append(text[at:stop])
            at = stop
        if at >= end:
            return cells
        at += 1


def _closing(text: str, at: int, delimiter: str, has_backslash: bool) -> int | None:
    """Where the quote is that closes the cell which begins there."""
    while (quote := text.find('"', at)) >= 0:
        if has_backslash and text[quote - 1] == "\\":
            at = quote + 1
        elif text[quote + 1 : quote + 2] == '"' and not _ends_cell(text, quote + 1, delimiter):
            at = quote + 2
        elif _ends_cell(text, quote, delimiter):
            return quote
        else:
            at = quote + 1
    return None


def _ends_cell(text: str, quote: int, delimiter: str) -> bool:
    at = quote + 1
    while text.startswith(" ", at):
        at += 1
    return at == len(text) or text[at] == delimiter


def _next(text: str, delimiter: str, at: int) -> int:
    """The place of the next delimiter, or else the end."""
    found = text.find(delimiter, at)
    return len(text) if found < 0 else found


_DELIMITERS = ",\t;|"
_SNIFFED_LINES = 50
# A cell of these columns that is a list of objects is one; of those that may be text, a list of turns.
_LISTS = frozenset(("messages", "conversations", "tools", "contents", "history"))
_TEXTS_OR_TURNS = frozenset(("prompt", "completion", "chosen", "rejected"))
_FLAGS = {"true": True, "false": False}
_SEP = re.compile(r"\"?sep=(.)\"?\s*\Z", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_LONGEST_NAME, _MOST_WORDS, _MOST_SHORT_WORDS = 60, 8, 6
# Without the full stop of `Art. No.`
_ENDS = ("?", "!", "\u3002", "\uff1f", "\uff01")
_FEWEST_WORDS = 4
_SAID_TWICE = (
    "it says in a column what the first line calls the column: that line may be a row, or two files were"
    " joined here"
)
_NAME_THEM = "write a line with the columns' names above the first row, and nowhere else"
_ABOVE = "the first line names the columns: leave out what stands above their names"
_FEWEST_NAMES = 2
# Lines that are read on for a cell whose quotes are not doubled; beyond, the record is broken.
_LONGEST_RECORD = 50


def delimiter_of(head: bytes, suffix: str) -> str:
    """The delimiter that splits most of the first lines into as many cells as the header has.

    A tie goes to the suffix' own, then to the comma; empty where nothing splits the header."""
    lines = head.decode("utf-8-sig", "replace").splitlines(keepends=True)[:_SNIFFED_LINES]
    if lines and (named := _SEP.match(lines[0])):
        return named[1]
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
    source = _Source(iter(lines))
    delimiter = delimiter or ","
    records = csv.reader(source, delimiter=delimiter, strict=True)
    header: list[str] = []
    width = 0
    is_doubted = False
    while True:
        begin = source.row + 1
        record, repairs, wrong = source.record(records, delimiter, width)
        yield from source.report_too_long(file)
        if wrong:
            yield _refuse_record(file, begin, source, wrong)
            continue
        if record is None:
            return
        if not any(cell.strip() for cell in record) or (not header and _is_sep(begin, source)):
            continue
        if header:
            if not is_doubted and _has_names(record, header):
                is_doubted = True
                yield file_problem(file, _SAID_TWICE, _NAME_THEM, begin, "warning")
            cells = _trim_unnamed_cells(record, header, width)
            yield row_of(file, begin, header, cells, source.content(), repairs)
            continue
        header, width = names_of(record), len(record)
        if problem := header_problem(file, header):
            yield problem
            return
        if reads_like_a_row(header):
            is_doubted = True
            what = "the first line names the columns, and reads like a row"
            yield file_problem(file, what, _NAME_THEM, begin, "warning")


def _trim_unnamed_cells(record: Sequence[str], header: Sequence[str], width: int) -> Sequence[str]:
    """The record without empty cells at its end that have no name."""
    beyond = record[len(header) :]
    is_whole = len(record) == width and not any(cell.strip() for cell in beyond)
    return record[: len(header)] if is_whole else record


class _Record(NamedTuple):
    """The cells, None at the end of the file; what was repaired in them; or what is wrong."""

    cells: Sequence[str] | None
    repairs: tuple[Repair, ...] = ()
    wrong: str = ""


def names_of(cells: Sequence[str]) -> list[str]:
    """What the columns are called. Beside two that have a name, those at the end that have none are none,
    and another one without, as pandas writes its index, is called by its place: `column 1`, or by the next
    number that is free."""
    names = [cell.strip() for cell in cells]
    if len(names) - names.count("") < _FEWEST_NAMES:
        return names
    while not names[-1]:
        names.pop()
    if names.count("") == 1:
        at = names.index("")
        free = (f"column {number}" for number in count(at + 1))
        names[at] = next(name for name in free if name not in names)
    return names


def _has_names(record: Sequence[str], header: Sequence[str]) -> bool:
    """Says a record in a column what the column is called, as where the first line is a row, or where two
    files were joined?"""
    return any(cell == name for cell, name in zip(record, header, strict=False))


def _is_sep(begin: int, source: "_Source") -> bool:
    return begin == 1 and bool(_SEP.match(source.content().decode("utf-8", "replace")))


@dataclass(slots=True)
class _Source:
    """Lines as csv wants them: text with its end. Lines that are too long are left out, and said."""

    lines: Iterator[Line]
    row: int = 0
    taken: list[Line] = field(default_factory=list)
    too_long: list[int] = field(default_factory=list)
    back: deque[Line] = field(default_factory=deque)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while (line := self._next()) is not None:
            if line.content is not None:
                return line.content.decode("utf-8", "surrogateescape") + "\n"
        raise StopIteration

    def _next(self) -> Line | None:
        line = self.back.popleft() if self.back else next(self.lines, None)
        if line is not None:
            self.row = line.row
            if line.content is None:
                self.too_long.append(line.row)
            else:
                self.taken.append(line)
        return line

    def record(self, records: Iterator[list[str]], delimiter: str, width: int) -> _Record:
        """The next record of the reader of these lines, repaired where its quotes are not doubled."""
        self.taken.clear()
        try:
            return _Record(next(records, None))
        except csv.Error as error:
            cells = self.repair_record(delimiter, width)
            wrong = str(error) if cells is None else ""
            return _Record(cells, (Repair("quotes"),), wrong)

    def repair_record(self, delimiter: str, width: int) -> Sequence[str] | None:
        """The record whose cells hold quotes that are not doubled; None, and no line is lost, where it has
        another width than the header or does not end soon."""
        taken, row, read_on = len(self.taken), self.row, list[Line]()
        while True:
            text = self.content().decode("utf-8", "surrogateescape")
            cells = cells_of(text, delimiter, width)
            if cells is not None and len(cells) == width:
                if not self._holds_records(delimiter, width):
                    return cells
                break
            is_open = cells is None or len(cells) < width
            line = self._next() if is_open and len(read_on) < _LONGEST_RECORD else None
            if line is None or line.content is None:
                break
            read_on.append(line)
        self.back.extendleft(reversed(read_on))
        del self.taken[taken:]
        self.row = row
        return self._as_text(delimiter, width)

    def _as_text(self, delimiter: str, width: int) -> Sequence[str] | None:
        """The record with its open quote as text; None where a later line may be a record of its own."""
        text = self.content().decode("utf-8", "surrogateescape")
        cells = cells_of(text, delimiter, width, may_be_open=True)
        if cells is None or len(cells) != width or self._holds_records(delimiter, width):
            return None
        return cells

    def _holds_records(self, delimiter: str, width: int) -> bool:
        """Whether later lines of the record are whole records themselves, so that a quote was left open
        before them. Of one column any line would be; one with a half of a pair of quotes is none."""
        later = (line.content or b"" for line in self.taken[1:])
        lines = (
            line.decode("utf-8", "surrogateescape") for line in later if line.count(b'"') % 2 == 0
        )
        found = (cells_of(line, delimiter, width) for line in lines)
        return width > 1 and any(cells is not None and len(cells) == width for cells in found)

    def content(self) -> bytes:
        """The lines of the record that was read last."""
        return b"\n".join(line.content or b"" for line in self.taken)

    def report_too_long(self, file: str) -> Iterator[Unread]:
        """The lines that were left out since the last call."""
        for row in self.too_long:
            what = f"longer than {LONGEST // 1_000_000} MB, so it is not read"
            yield Unread(file_problem(file, what, "split it", row))
        self.too_long.clear()


def _refuse_record(file: str, begin: int, source: _Source, reason: str) -> Unread:
    where = f", with all up to line {source.row}" if source.row > begin else ""
    hint = "double each quote inside a quoted cell, and close each quote"
    problem = file_problem(file, f"broken CSV{where}: {reason}", hint, begin)
    return Unread(problem, source.content(), is_table=True)


def header_problem(file: str, header: Sequence[str]) -> Problem | None:
    """What keeps the header from naming the columns."""
    if byte := _foreign_byte(header):
        return not_utf8(file, f"byte {byte} in the header, so no row is read")
    twice = [name for name, num in Counter(header).items() if num > 1]
    if twice and twice[0]:
        return file_problem(file, f"the column {twice[0]!r} is there twice", "rename one of them")
    if "" in header:
        what = f"column {header.index('') + 1} has no name in the header"
        return file_problem(file, what, f"name it; {_ABOVE}")
    return None


def reads_like_a_row(header: Sequence[str]) -> bool:
    """Whether it has a cell that is a sentence, or a number where not all are."""
    numbers = [bool(_NUMBER.fullmatch(cell)) for cell in header]
    return any(map(_is_sentence, header)) or (any(numbers) and not all(numbers))


def _is_sentence(cell: str) -> bool:
    num_words = len(cell.split())
    is_long = len(cell) > _LONGEST_NAME and num_words > _MOST_WORDS
    is_ended = cell.endswith(_ENDS) and (num_words > 1 or not cell.isascii())
    is_ended = is_ended or (cell.endswith(".") and num_words >= _FEWEST_WORDS)
    return is_long or is_ended or num_words > _MOST_SHORT_WORDS


def _foreign_byte(cells: Sequence[str]) -> str:
    """The first byte that is not UTF-8, which `surrogateescape` carries as half a character."""
    foreign = (c for cell in cells for c in cell if "\udc80" <= c <= "\udcff")
    found = next(foreign, "")
    return f"0x{ord(found) - 0xDC00:02x}" if found else ""


def row_of(
    file: str,
    row: int,
    header: Sequence[str],
    record: Sequence[str],
    content: bytes,
    repairs: tuple[Repair, ...] = (),
) -> ReadRow | Unread:
    """The record under its header."""
    if len(record) != len(header):
        what = f"{len(record)} cells, and the header has {len(header)}"
        mend = "quote cells that hold the delimiter or a line end" if len(header) > 1 else _ABOVE
        problem = file_problem(file, what, mend, row)
        return Unread(problem, content, is_table=True)
    try:
        data = {name: _parse_cell(name, cell) for name, cell in zip(header, record, strict=True)}
        check_values(data)
    except DataError as error:
        problem = file_problem(file, str(error), error.hint, row)
        if byte := _foreign_byte(record):
            column = next(n for n, c in zip(header, record, strict=True) if _foreign_byte([c]))
            problem = not_utf8(file, f"byte {byte} in {column!r}", row)
        return Unread(problem, content, is_table=True)
    return ReadRow(file, row, data, repairs)


def _parse_cell(name: str, cell: str) -> Any:  # Any: free JSON
    if name == "label":
        return _FLAGS.get(cell.strip().lower(), cell)
    if name in _LISTS:
        found = find_list(cell)
        return cell if found is None else found
    if name == "completion" and cell.strip() == "[]":
        return cell  # no label of several, as JSON
    return _side(cell) if name in _TEXTS_OR_TURNS else cell


def _side(cell: str) -> Any:  # Any: free JSON
    """The messages of a prompt or an answer, of which JSON names any speaker and Python known ones alone; or
    the text, such as an answer that is JSON."""
    found = objects_in(cell, _are_spoken)
    if found is not None:
        return found
    printed = parse_printed(cell)
    return printed if printed and all(map(speaks, printed)) else cell


def _are_spoken(items: list[Any]) -> bool:  # Any: free JSON
    return not items or any(not SPEAKERS.isdisjoint(item) for item in items)
