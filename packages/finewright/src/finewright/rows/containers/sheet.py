"""A table in an Excel workbook, streamed: the first row that has anything in it names the columns.

The sheets that have the same columns are one table, their rows counted on; any other is named and not read.
What is hidden is read as the rest is, which is said.
Cells are text, as in CSV: numbers as they are shown, days as they are stored, and a
formula by the value that was computed last; a row with a formula that nobody has computed is not read.
A cell that is merged over several rows is read in each of them.
Not covered: formats of days, cells merged over several columns, and workbooks of before 2007.

Numbers of a workbook as it shows them: `00000` keeps the zeros of a postcode, `0.00%` is a percentage.

Covered (ECMA-376 part 1, 18.8.31): General, digits with zeros, decimals, thousands, percentages, signs and
texts between digits, currencies, sections for negative numbers and zero. Not covered, so read as stored,
which is said: fractions, powers of ten, conditions. Points and commas are as the codes have them."""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright.rows.containers.found import (
    Found,
    ReadRow,
    Repair,
    RepairKind,
    Unread,
    file_problem,
)
from finewright.rows.containers.sheet_marks import sheet_marks
from finewright.rows.containers.table import header_problem, names_of, row_of
from finewright.schema.common import Problem

# A workbook keeps 15 digits of a number: ECMA-376 stores doubles.
MOST_DIGITS = 15
# Positive, negative, zero; a fourth section is for texts.
_OF_NUMBERS = 3
_GENERAL = ("General", "@", "")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[(?:Black|Blue|Cyan|Green'
    r"|Magenta|Red|White|Yellow|Color ?\d+)\]|_.|\*.|(?P<digits>[0#?][0#?,]*(?:\.[0#?]*)?)"
    r"|(?P<sign>[-+$€£¥()% /:])",
    re.IGNORECASE,
)


class _Part(NamedTuple):
    """A text that stands as it is, or digits by their places."""

    text: str
    is_digits: bool = False


def format_number(value: int | float, code: str) -> str | None:
    """The number as the format code shows it; None where the code is not followed."""
    if code in _GENERAL:
        return general(value)
    sections = _sections(code)
    if sections is None:
        return None
    exact = Decimal(repr(value))
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, exact = sections[1], -exact
    elif value == 0 and len(sections) == _OF_NUMBERS:
        section = sections[2]
    digits = [part.text for part in section if part.is_digits]
    if not digits:
        return "".join(part.text for part in section) or None
    scale = sum(part.text.count("%") for part in section if not part.is_digits) * 2
    sign, filled = _fill_groups(digits, exact.scaleb(scale))
    texts = iter(filled)
    return sign + "".join(next(texts) if part.is_digits else part.text for part in section).strip()


def general(value: int | float) -> str:
    """The number in all its digits, as a workbook keeps them."""
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(f"{value:.{MOST_DIGITS}g}"), "f")
    return text if value.is_integer() or "." not in text else text.rstrip("0").rstrip(".")


@lru_cache(maxsize=1024)
def _sections(code: str) -> list[list[_Part]] | None:
    """The parts of each section; None where one has what is not covered."""
    made: list[list[_Part]] = [[]]
    at = 0
    while at < len(code):
        if code[at] == ";":
            if len(made) == _OF_NUMBERS:
                break
            made.append([])
            at += 1
            continue
        found = _TOKEN.match(code, at)
        if found is None:
            return None
        at = found.end()
        if digits := found["digits"]:
            made[-1].append(_Part(digits, is_digits=True))
        else:
            parts = (found["quoted"], found["escaped"], found["currency"], found["sign"])
            made[-1].append(_Part(next((part for part in parts if part), "")))
    return None if any(map(_is_odd, made)) else made


def _is_odd(section: list[_Part]) -> bool:
    """Whether its digits are in several groups, some of them with decimals, thousands or none that are
    filled."""
    groups = [part.text for part in section if part.is_digits]
    marks = "".join(part.text for part in section if not part.is_digits)
    is_fraction = len(groups) > 1 and any(sign in marks for sign in "/:")
    return (
        is_fraction
        or (len(groups) > 1 and any(set(group) & set(".,?") for group in groups))
        or any(group.endswith(",") or ",." in group for group in groups)
    )


def _fill_groups(groups: list[str], value: Decimal) -> tuple[str, list[str]]:
    """The sign, and the digits of each group: of several the last are in the last group."""
    whole, _, decimals = groups[-1].partition(".")
    rounded = abs(value).quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    number, _, fraction = format(rounded, "f").partition(".")
    fewest = len(decimals.rstrip("#?"))
    fraction = fraction[:fewest] + fraction[fewest:].rstrip("0")
    pattern = "".join(groups[:-1]) + whole
    number = "" if number == "0" and "0" not in pattern else number.zfill(pattern.count("0"))
    if "," in whole:
        number = re.sub(r"(?<=\d)(?=(?:\d{3})+\Z)", ",", number)
    texts: list[str] = []
    for group in [*groups[:0:-1], ""]:
        size = sum(sign in "0#?" for sign in group.partition(".")[0])
        cut = len(number) - size if group else 0
        texts.insert(0, number[max(cut, 0) :])
        number = number[: max(cut, 0)]
    if "." in groups[-1]:
        texts[-1] += f".{fraction}"
    return ("-" if value < 0 and rounded else ""), texts


_SURELY_SMALL = 64 << 20
_MOST_RATIO = 200
# ECMA-376 part 1, 18.17.3: what a formula that fails is shown as.
FAILED = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))
# Microsoft's limit of the characters in a cell; what is longer is cut by whoever writes the file.
_FULL_CELL = 32_767
_ONE_TABLE = "save each sheet as a file of its own"


def sheet_rows(file: str, path: Path) -> Iterator[Found]:
    """The rows of a workbook; a row is its line in its sheet, counted on over sheets of the same columns."""
    # Of a path openpyxl asks the suffix, which is the archive's own where a file is only named as packed.
    with path.open("rb") as stream:
        yield from _read_book(file, path, _open_workbook(path, stream))


def _read_book(
    file: str, path: Path, book: Any
) -> Iterator[Found]:  # Any: openpyxl has no types for us
    header: list[str] = []
    offset, left_out = 0, list[str]()
    try:
        of_sheets = sheet_marks(path, book)
        for sheet in book.worksheets:
            num_rows, columns, marks = 0, list[str](), of_sheets[sheet.title]
            for number, cells in enumerate(_records(sheet, marks.num_rows), 1):
                num_rows = number
                if not any(cells) and not (columns and number in marks.uncomputed):
                    continue
                if not columns:
                    columns = names_of(cells[: _width(cells)])
                    if header and sorted(columns) != sorted(header):
                        left_out.append(sheet.title)
                        break
                    yield from _check_header(file, sheet.title, columns, offset if header else None)
                    if header_problem(file, columns):
                        return
                    header = header or columns
                    yield from marks.list_problems(file, sheet.title, offset, number, len(columns))
                    continue
                if cell := marks.fill(number, cells):
                    yield Unread(_never_computed(file, offset + number, cell))
                else:
                    yield _read_cells(file, offset + number, columns, header, cells)
            offset += num_rows
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError, SyntaxError) as error:
        yield file_problem(
            file, f"broken workbook: {error}; the rows after this are lost", "save it anew"
        )
    if left_out:
        what = f"sheets with other columns are not read: {', '.join(left_out)}"
        yield file_problem(file, what, _ONE_TABLE, level="warning")


def _read_cells(
    file: str, row: int, columns: Sequence[str], header: Sequence[str], cells: Sequence[str]
) -> ReadRow | Unread:
    """The cells, in the order of the sheet's own columns, as a row of the table with that header."""
    record = [*cells, *[""] * len(columns)][: max(len(columns), _width(cells))]
    content = b"\t".join(_bytes(record))
    if len(record) > len(columns):
        return Unread(_report_unnamed_column(file, row, len(record)), content)
    ordered = [record[columns.index(name)] for name in header]
    found = row_of(file, row, header, ordered, content)
    if isinstance(found, Unread):
        return found
    data = {
        name: str(cell) if isinstance(cell, _Said) else cell for name, cell in found.data.items()
    }
    repairs = (
        Repair(kind, name) for name, cell in found.data.items() if (kind := _repair_of_cell(cell))
    )
    return found._replace(data=data, repairs=(*found.repairs, *repairs))


class _Said(str):
    """A cell with something to say about it."""

    kind: RepairKind


def _repair_of_cell(cell: object) -> RepairKind | None:
    if isinstance(cell, _Said):
        return cell.kind
    if not isinstance(cell, str):
        return None
    if len(cell) == _FULL_CELL:
        return "full_cell"
    return "failed_formula" if cell in FAILED else None


def _report_unnamed_column(file: str, row: int, column: int) -> Problem:
    what = f"column {column} has a cell here, and no name in the first row"
    return file_problem(
        file, what, "name each column; leave out what stands above their names", row
    )


def _check_header(
    file: str, title: str, columns: Sequence[str], offset: int | None
) -> Iterator[Problem]:
    """What is wrong with the header; of a further sheet, from where on its rows are counted."""
    if offset is not None:
        yield file_problem(file, f"sheet {title}: its row 1 is row {offset + 1} here", level="info")
    elif wrong := header_problem(file, columns):
        yield wrong


def _open_workbook(path: Path, stream: IO[bytes]) -> Any:  # Any: openpyxl has no types for us
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingExtra(
            "reading workbooks needs openpyxl", hint=install_command("[data]")
        ) from None
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > max(_SURELY_SMALL, _MOST_RATIO * path.stat().st_size):
            what = f"it unpacks to more than {_MOST_RATIO} times its size, as bombs do"
            raise DataError(what, hint="save it anew if you trust it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_workbook(stream, read_only=True, data_only=True)
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, OSError, SyntaxError) as error:
        raise DataError(f"broken workbook: {error}", hint="save it anew, or as CSV") from None


def _never_computed(file: str, row: int, cell: str) -> Problem:
    what = f"the formula in {cell} has no value: nobody has computed it"
    return file_problem(file, what, "open the workbook in a spreadsheet program and save it", row)


def _records(sheet: Any, num_rows: int | None) -> Iterator[list[str]]:
    # What a file says of its size need not be true.
    sheet.reset_dimensions()
    # After the last row openpyxl reads merged cells, and ends at a reference that is none.
    records = islice(sheet.iter_rows(), num_rows)
    try:
        for cells in records:
            yield [_show_cell(cell) for cell in cells]
    except TypeError as error:  # what openpyxl raises for an attribute that it does not know
        raise ValueError(str(error)) from None


def _show_cell(cell: Any) -> str:  # Any: openpyxl has no types for us
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _show_number(value, cell.number_format)
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return str(value).replace("_x000D_", "")


def _show_number(value: int | float, code: str) -> str:
    shown = format_number(value, code)
    text = _Said(general(value) if shown is None else shown)
    if abs(value) >= 10**MOST_DIGITS:
        text.kind = "many_digits"
    elif shown is None:
        text.kind = "other_format"
    else:
        return str(text)
    return text


def _width(cells: Sequence[str]) -> int:
    return max(i + 1 for i, cell in enumerate(cells) if cell)


def _bytes(record: Sequence[str]) -> Iterator[bytes]:
    return (cell.encode("utf-8", "replace") for cell in record)
