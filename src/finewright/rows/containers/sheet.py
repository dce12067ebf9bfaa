"""A table in an Excel workbook, streamed: the first row that has anything in it names the columns.

The sheets that have the same columns are one table, their rows counted on; any other is named and not read.
Cells are text, as in CSV: numbers and days as they are stored, a formula by the value that was computed last;
a row with a formula that nobody has computed is not read.
Not covered: number formats, merged cells, and workbooks of before 2007."""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from finewright.errors import DataError, MissingExtra
from finewright.rows.containers.found import Found, Unread, said
from finewright.rows.containers.table import header_problem, row_of
from finewright.schema.common import Problem

_SURELY_SMALL = 64 << 20
_MOST_RATIO = 200
_FORMULA = re.compile(rb"<f[ >/]")
_ONE_TABLE = "save each sheet as a file of its own"


def sheet_rows(file: str, path: Path) -> Iterator[Found]:
    """The rows of a workbook; a row is its line in its sheet, counted on over sheets of the same columns."""
    book, formulas = _opened(path), _uncomputed(path)
    header: list[str] = []
    offset, left_out = 0, list[str]()
    try:
        for sheet in book.worksheets:
            num_rows, columns = 0, list[str]()
            for number, cells in enumerate(_records(sheet), start=1):
                num_rows = number
                if not any(cells):
                    continue
                if not columns:
                    columns = _stripped(cells)
                    if header and columns != header:
                        left_out.append(sheet.title)
                        break
                    header = columns
                    if wrong := header_problem(file, header):
                        yield wrong
                        return
                    continue
                if empty := formulas.get((sheet.title, number)):
                    yield Unread(_never_computed(file, offset + number, empty))
                    continue
                record = [*cells, *[""] * len(header)][: max(len(header), _width(cells))]
                yield row_of(file, offset + number, header, record, b"\t".join(_bytes(record)))
            offset += num_rows
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError, SyntaxError) as error:
        yield said(file, f"broken workbook: {error}; the rows after this are lost", "save it anew")
    if left_out:
        what = f"sheets with other columns are not read: {', '.join(left_out)}"
        yield said(file, what, _ONE_TABLE, level="warning")


def _opened(path: Path, *, data_only: bool = True) -> Any:  # Any: openpyxl has no types for us
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingExtra(
            "reading workbooks needs openpyxl", hint='pip install "finewright[data]"'
        ) from None
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > max(_SURELY_SMALL, _MOST_RATIO * path.stat().st_size):
            what = f"it unpacks to more than {_MOST_RATIO} times its size, as bombs do"
            raise DataError(what, hint="save it anew if you trust it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_workbook(path, read_only=True, data_only=data_only)
    except (zipfile.BadZipFile, ValueError, KeyError, OSError, SyntaxError) as error:
        raise DataError(f"broken workbook: {error}", hint="save it anew, or as CSV") from None


def _uncomputed(path: Path) -> dict[tuple[str, int], str]:
    """(sheet, row) -> the first cell whose formula has no value, as who computes nothing writes it."""
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        if not any(_FORMULA.search(archive.read(name)) for name in sheets):
            return {}
    found: dict[tuple[str, int], str] = {}
    written, computed = _opened(path, data_only=False), _opened(path)
    for sheet, values in zip(written.worksheets, computed.worksheets, strict=True):
        sheet.reset_dimensions()
        values.reset_dimensions()
        rows = zip(sheet.iter_rows(), values.iter_rows(values_only=True), strict=True)
        for number, (cells, known) in enumerate(rows, start=1):
            for cell, value in zip(cells, known, strict=False):
                if value is None and getattr(cell, "data_type", "") == "f":
                    found.setdefault((sheet.title, number), cell.coordinate)
    return found


def _never_computed(file: str, row: int, cell: str) -> Problem:
    what = f"the formula in {cell} has no value: nobody has computed it"
    return said(file, what, "open the workbook in a spreadsheet program and save it", row)


def _records(sheet: Any) -> Iterator[list[str]]:
    # What a file says of its size need not be true.
    sheet.reset_dimensions()
    for cells in sheet.iter_rows(values_only=True):
        yield [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, datetime):
        return cell.isoformat(" ").removesuffix(" 00:00:00")
    return str(cell).replace("_x000D_", "")


def _width(cells: Sequence[str]) -> int:
    return max(i + 1 for i, cell in enumerate(cells) if cell)


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells[: _width(cells)]]


def _bytes(record: Sequence[str]) -> Iterator[bytes]:
    return (cell.encode("utf-8", "replace") for cell in record)
