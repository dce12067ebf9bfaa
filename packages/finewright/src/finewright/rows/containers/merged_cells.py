"""Cells of a workbook that are merged over several rows: the value that all show stands in the first."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from finewright.rows.containers.found import said
from finewright.rows.containers.hidden_cells import has_mark
from finewright.schema.common import Problem

_MARK = re.compile(rb"<(?:\w{1,8}:)?mergeCells?[ >]")
# A range of cells as ECMA-376 part 1, 18.18.62 has them; what is none merges nothing.
_REFERENCE = re.compile(
    r"(?P<column>[A-Z]{1,3})(?P<first>[1-9][0-9]{0,6}):[A-Z]{1,3}(?P<last>[1-9][0-9]{0,6})"
)
_MOST_NAMED = 5


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
            more = len(names) - _MOST_NAMED
            named = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
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
