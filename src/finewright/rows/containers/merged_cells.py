"""Cells of a workbook that are merged over several rows: the value that all show stands in the first."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from finewright.rows.containers.found import said
from finewright.rows.containers.hidden_cells import has_mark
from finewright.schema.common import Problem

_MARK = re.compile(rb"<mergeCell ")
_MOST_NAMED = 5


class _Span(NamedTuple):
    """A column, from 0, whose cell holds for all rows down to the last, from 1."""

    name: str
    column: int
    last: int


class _Held(NamedTuple):
    last: int
    value: str


@dataclass(slots=True)
class MergedCells:
    """Of a sheet: the spans by the row that they begin in, and the values that hold where one reads."""

    spans: dict[int, list[_Span]] = field(default_factory=dict)
    held: dict[int, _Held] = field(default_factory=dict)

    def fill(self, number: int, cells: list[str]) -> None:
        """Write into the row of that number what holds for it; the rows come in their order."""
        for column, (last, value) in list(self.held.items()):
            if number > last:
                del self.held[column]
            else:
                cells += [""] * (column + 1 - len(cells))
                cells[column] = cells[column] or value
        for span in self.spans.get(number, ()):
            if span.column < len(cells):
                self.held[span.column] = _Held(span.last, cells[span.column])

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
            merged = MergedCells()
            with archive.open(member) as part:
                has_any = has_mark(part, _MARK)
            if has_any:
                with archive.open(member) as part:
                    for first_row, span in _spans(part):
                        merged.spans.setdefault(first_row, []).append(span)
            found[sheet.title] = merged
    return found


def _spans(part: IO[bytes]) -> Iterator[tuple[int, _Span]]:
    from openpyxl.utils.cell import range_boundaries
    from openpyxl.xml.functions import iterparse

    for _, item in iterparse(part):
        tag = item.tag.rpartition("}")[2]
        if tag == "row":
            item.clear()
        elif tag == "mergeCell":
            column, first, _, last = range_boundaries(item.get("ref"))
            if last > first:
                yield first, _Span(item.get("ref"), column - 1, last)
