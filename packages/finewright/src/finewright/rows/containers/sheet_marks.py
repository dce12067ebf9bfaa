"""What a sheet's cells do not say, out of its XML: what a spreadsheet program hides (a filter hides rows,
too), formulas that nobody has computed, and cells merged over several rows, whose value all of them show.

A sheet may hide all rows but those that it names (ECMA-376 part 1, 18.3.1.81, `zeroHeight`): programs take
that differently, so it is said of the sheet."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from finewright.rows.containers.found import file_problem
from finewright.schema.common import Problem

# Some programs write a prefix before each name, as Microsoft's SDK does.
_MARK = re.compile(
    rb"<(?:\w{1,8}:)?(?:f[ >/]|mergeCells?[ >])|\b(?:hidden|zeroHeight) ?= ?[\"'](?:1|true)[\"']"
)
# A range of cells as ECMA-376 part 1, 18.18.62 has them; what is none merges nothing.
_REFERENCE = re.compile(
    r"(?P<column>[A-Z]{1,3})(?P<first>[1-9][0-9]{0,6}):[A-Z]{1,3}(?P<last>[1-9][0-9]{0,6})"
)
_PIECE, _LONGEST_MARK, _MOST_NAMED = 1 << 20, 24, 5
_SHOW = "show them in a spreadsheet program, or delete what is not meant, and save"


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
class SheetMarks:
    """Of a sheet: is it hidden, are its rows unless it says otherwise, and which of them and of its columns
    are (from 1); by their rows the cells whose formula has no value, as who computes nothing writes it, and
    the spans that begin there; and the values that hold where one reads.

    `num_rows` of a sheet with merged cells: what stands after its rows need not be read."""

    is_hidden: bool = False
    hides_rows: bool = False
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: list[range] = field(default_factory=list)
    uncomputed: dict[int, list[str]] = field(default_factory=dict)
    spans: dict[int, list[_Span]] = field(default_factory=dict)
    held: dict[int, _Held] = field(default_factory=dict)
    num_rows: int | None = None

    def fill(self, number: int, cells: list[str]) -> str:
        """Write into the row of that number what holds for it; the rows come in their order.

        The first cell that holds here and whose formula has no value, or empty."""
        uncomputed: Sequence[str] = self.uncomputed.get(number, ())
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

    def list_problems(
        self, file: str, title: str, offset: int, header_row: int, width: int
    ) -> Iterator[Problem]:
        """That all of it is read as the rest is; a row is counted on from `offset`, `width` columns have a
        name."""
        if self.is_hidden:
            yield file_problem(
                file, f"sheet {title} is hidden, and is read", _SHOW, level="warning"
            )
        if self.hides_rows:
            what = f"sheet {title} hides its rows unless it says otherwise, and all are read"
            yield file_problem(file, what, _SHOW, level="warning")
        rows = [row for row in self.hidden_rows if row > header_row]
        if rows:
            many = "1 row is" if len(rows) == 1 else f"{len(rows)} rows are"
            first = "" if len(rows) == 1 else ", this one first"
            what = f"{many} hidden in sheet {title}, as by a filter, and read{first}"
            yield file_problem(file, what, _SHOW, offset + rows[0], "warning")
        if columns := [
            n for n in range(1, width + 1) if any(n in span for span in self.hidden_columns)
        ]:
            many = "column is" if len(columns) == 1 else "columns are"
            named = ", ".join(map(str, columns[:_MOST_NAMED]))
            more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
            what = f"{many} hidden in sheet {title}, and read: {named}{more}"
            yield file_problem(file, what, _SHOW, level="warning")
        yield from self._report_merged_cells(file, title, header_row)

    def _report_merged_cells(self, file: str, title: str, header_row: int) -> Iterator[Problem]:
        """That the values below the header are read in each of their rows."""
        names = [s.name for row, spans in self.spans.items() if row > header_row for s in spans]
        if names:
            more = len(names) - _MOST_NAMED
            named = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            what = f"merged cells of sheet {title} are read in each of their rows: {named}"
            yield file_problem(
                file, what, "unmerge them, if they say something of the first alone", level="info"
            )


def sheet_marks(path: Path, book: Any) -> dict[str, SheetMarks]:  # Any: openpyxl has no types
    """Of each sheet by its title. Raises SyntaxError for XML that is cut."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for sheet in book.worksheets:
            # openpyxl says nowhere else which part it is.
            member = sheet._worksheet_path.lstrip("/")
            marks = SheetMarks(sheet.sheet_state != "visible")
            with archive.open(member) as part:
                has_any = _has_mark(part)
            if has_any:
                with archive.open(member) as part:
                    _add(marks, part)
            found[sheet.title] = marks
    return found


def _has_mark(part: IO[bytes]) -> bool:
    """Whether a mark, of 24 bytes at most, is anywhere in the part. It is read piece by piece."""
    before = b""
    while piece := part.read(_PIECE):
        if _MARK.search(before + piece):
            return True
        before = piece[-_LONGEST_MARK:]
    return False


def _add(marks: SheetMarks, part: IO[bytes]) -> None:
    from openpyxl.xml.functions import iterparse

    number = num_rows = 0
    for _, item in iterparse(part):
        tag = item.tag.rpartition("}")[2]
        if tag == "row":
            number = int(item.get("r") or number + 1)
            num_rows = max(num_rows, number)
            marks.hidden_rows += [number] if _is_hidden(item) and _has_value(item) else []
            if empty := list(_empty_formulas(item)):
                marks.uncomputed.setdefault(number, []).extend(empty)
            item.clear()
        elif tag == "sheetFormatPr":
            marks.hides_rows = item.get("zeroHeight") in ("1", "true")
        elif tag == "col" and _is_hidden(item) and item.get("min") and item.get("max"):
            marks.hidden_columns.append(range(int(item.get("min")), int(item.get("max")) + 1))
        elif tag in ("mergeCell", "mergeCells"):
            marks.num_rows = num_rows
            _add_span(marks, item.get("ref") or "")


def _is_hidden(item: Any) -> bool:
    return item.get("hidden") in ("1", "true")


def _has_value(row: Any) -> bool:
    """Whether it has a cell with something in it. A row without one is not read."""
    return any(each.text for each in row.iter() if each.tag.rpartition("}")[2] in ("v", "t"))


def _empty_formulas(row: Any) -> Iterator[str]:
    """The name of each cell with a formula and without a value, which an empty text is."""
    for at, cell in enumerate(row):
        value = cell.find("{*}v")
        has_value = value is not None and (bool(value.text) or cell.get("t") == "str")
        if cell.find("{*}f") is not None and not has_value:
            yield cell.get("r") or f"column {at + 1}"


def _add_span(marks: SheetMarks, reference: str) -> None:
    place = _REFERENCE.fullmatch(reference)
    first, last = (int(place["first"]), int(place["last"])) if place else (0, 0)
    if place and last > first:
        span = _Span(place[0], _column(place["column"]), last)
        marks.spans.setdefault(first, []).append(span)


def _column(letters: str) -> int:
    """The column of these letters, from 0."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
