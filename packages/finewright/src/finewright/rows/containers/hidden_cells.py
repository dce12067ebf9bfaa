"""What a spreadsheet program does not show: hidden sheets, rows (a filter hides them, too) and columns.

A sheet may hide all rows but those that it names (ECMA-376 part 1, 18.3.1.81, `zeroHeight`): programs take
that differently, so it is said of the sheet.

Cells of a workbook that are merged over several rows: the value that all show stands in the first."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from finewright.rows.containers.found import said
from finewright.schema.common import Problem

_HIDDEN = re.compile(rb"\b(?:hidden|zeroHeight) ?= ?[\"'](?:1|true)[\"']")
_PIECE, _LONGEST_MARK, _MOST_NAMED = 1 << 20, 24, 5
_SHOW = "show them in a spreadsheet program, or delete what is not meant, and save"


@dataclass(slots=True)
class HiddenCells:
    """Of a sheet: is it hidden, are its rows unless it says otherwise, and which of them and of its columns
    are (from 1)."""

    is_sheet: bool = False
    is_by_default: bool = False
    rows: list[int] = field(default_factory=list)
    columns: list[range] = field(default_factory=list)

    def said(
        self, file: str, title: str, offset: int, header_row: int, width: int
    ) -> Iterator[Problem]:
        """That all of it is read as the rest is; a row is counted on from `offset`, `width` columns have a
        name."""
        if self.is_sheet:
            yield said(file, f"sheet {title} is hidden, and is read", _SHOW, level="warning")
        if self.is_by_default:
            what = f"sheet {title} hides its rows unless it says otherwise, and all are read"
            yield said(file, what, _SHOW, level="warning")
        rows = [row for row in self.rows if row > header_row]
        if rows:
            many = "1 row is" if len(rows) == 1 else f"{len(rows)} rows are"
            first = "" if len(rows) == 1 else ", this one first"
            what = f"{many} hidden in sheet {title}, as by a filter, and read{first}"
            yield said(file, what, _SHOW, offset + rows[0], "warning")
        if columns := [n for n in range(1, width + 1) if any(n in span for span in self.columns)]:
            many = "column is" if len(columns) == 1 else "columns are"
            named = ", ".join(map(str, columns[:_MOST_NAMED]))
            more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
            what = f"{many} hidden in sheet {title}, and read: {named}{more}"
            yield said(file, what, _SHOW, level="warning")


def hidden_cells(path: Path, book: Any) -> dict[str, HiddenCells]:  # Any: openpyxl has no types
    """Of each sheet by its title. Raises SyntaxError for XML that is cut."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for sheet in book.worksheets:
            # openpyxl says nowhere else which part it is.
            member = sheet._worksheet_path.lstrip("/")
            hidden = HiddenCells(sheet.sheet_state != "visible")
            with archive.open(member) as part:
                has_any = has_mark(part, _HIDDEN)
            if has_any:
                with archive.open(member) as part:
                    _add(hidden, part)
            found[sheet.title] = hidden
    return found


def has_mark(part: IO[bytes], mark: re.Pattern[bytes]) -> bool:
    """Is the mark, of 24 bytes at most, anywhere in the part? It is read piece by piece."""
    before = b""
    while piece := part.read(_PIECE):
        if mark.search(before + piece):
            return True
        before = piece[-_LONGEST_MARK:]
    return False


def _add(hidden: HiddenCells, part: IO[bytes]) -> None:
    from openpyxl.xml.functions import iterparse

    number = 0
    for _, item in iterparse(part):
        is_hidden = item.get("hidden") in ("1", "true")
        if item.tag.endswith("}row"):
            number = int(item.get("r") or number + 1)
            hidden.rows += [number] if is_hidden and _has_value(item) else []
            item.clear()
        elif item.tag.endswith("}sheetFormatPr"):
            hidden.is_by_default = item.get("zeroHeight") in ("1", "true")
        elif item.tag.endswith("}col") and is_hidden and item.get("min") and item.get("max"):
            hidden.columns.append(range(int(item.get("min")), int(item.get("max")) + 1))


def _has_value(row: Any) -> bool:
    """Has it a cell with something in it? A row without one is not read."""
    return any(each.text for each in row.iter() if each.tag.rpartition("}")[2] in ("v", "t"))


_MARK = re.compile(rb"<(?:\w{1,8}:)?mergeCells?[ >]")
# A range of cells as ECMA-376 part 1, 18.18.62 has them; what is none merges nothing.
_REFERENCE = re.compile(
    r"(?P<column>[A-Z]{1,3})(?P<first>[1-9][0-9]{0,6}):[A-Z]{1,3}(?P<last>[1-9][0-9]{0,6})"
)
_MOST_MERGED = 5


class _Span(NamedTuple):
    """A column, from 0, whose cell holds for all rows down to the last, from 1."""

    name: str
    column: int
    last: int


class _Held(NamedTuple):
    """What a cell holds down to the last row: its value, or its name where its formula has none."""

    last: int
    value: str
    uncomputed: str = ""


@dataclass(slots=True)
class MergedCells:
    """Of a sheet: the spans by the row that they begin in, and the values that hold where one reads.

    `num_rows` of a sheet with merged cells: what stands after its rows need not be read."""

    spans: dict[int, list[_Span]] = field(default_factory=dict)
    held: dict[int, _Held] = field(default_factory=dict)
    num_rows: int | None = None

    def fill(self, number: int, cells: list[str], uncomputed: Sequence[str] = ()) -> str:
        """Write into the row of that number what holds for it; the rows come in their order.

        `uncomputed` are its cells whose formulas have no value. The first such cell that holds here, or
        empty."""
        wrong = list(uncomputed[:1])
        for column, held in list(self.held.items()):
            if number > held.last:
                del self.held[column]
            elif held.uncomputed:
                wrong.append(held.uncomputed)
            else:
                cells += [""] * (column + 1 - len(cells))
                cells[column] = cells[column] or held.value
        for span in self.spans.get(number, ()):
            if span.column < len(cells):
                first = span.name.partition(":")[0]
                name = first if first in uncomputed else ""
                self.held[span.column] = _Held(span.last, cells[span.column], name)
        return wrong[0] if wrong else ""

    def said(self, file: str, title: str, header_row: int) -> Iterator[Problem]:
        """That the values below the header are read in each of their rows."""
        names = [s.name for row, spans in self.spans.items() if row > header_row for s in spans]
        if names:
            more = len(names) - _MOST_MERGED
            named = ", ".join(names[:_MOST_MERGED]) + (f" and {more} more" if more > 0 else "")
            what = f"merged cells of sheet {title} are read in each of their rows: {named}"
            yield said(
                file, what, "unmerge them, if they say something of the first alone", level="info"
            )


def merged_cells(path: Path, book: Any) -> dict[str, MergedCells]:  # Any: openpyxl has no types
    """Of each sheet by its title. Raises SyntaxError for XML that is cut."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for sheet in book.worksheets:
            # openpyxl says nowhere else which part it is.
            member = sheet._worksheet_path.lstrip("/")
            with archive.open(member) as part:
                has_any = has_mark(part, _MARK)
            with archive.open(member) as part:
                found[sheet.title] = _merged(part) if has_any else MergedCells()
    return found


def _merged(part: IO[bytes]) -> MergedCells:
    from openpyxl.xml.functions import iterparse

    found, number, num_rows = MergedCells(), 0, 0
    for _, item in iterparse(part):
        tag = item.tag.rpartition("}")[2]
        if tag == "row":
            number = int(item.get("r") or number + 1)
            num_rows = max(num_rows, number)
            item.clear()
        elif tag == "mergeCell" and (place := _REFERENCE.fullmatch(item.get("ref") or "")):
            first, last = int(place["first"]), int(place["last"])
            if last > first:
                span = _Span(place[0], _column(place["column"]), last)
                found.spans.setdefault(first, []).append(span)
    found.num_rows = num_rows
    return found


def _column(letters: str) -> int:
    """The column of these letters, from 0."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
