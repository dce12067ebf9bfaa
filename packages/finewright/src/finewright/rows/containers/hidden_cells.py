"""What a spreadsheet program does not show: hidden sheets, rows (a filter hides them, too) and columns.

A sheet may hide all rows but those that it names (ECMA-376 part 1, 18.3.1.81, `zeroHeight`): programs take
that differently, so it is said of the sheet."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

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
