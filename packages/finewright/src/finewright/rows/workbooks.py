"""Excel workbooks as Markdown tables: each sheet under its name, each row of cells as it is stored.

Empty cells stay empty. Not covered: number formats, merged cells, pictures, and the value of a formula that
no spreadsheet program has computed yet, which the file does not have."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import MissingExtra


class Workbook(NamedTuple):
    """The tables, how many cells have a formula and no value, and the sheets of these that are hidden."""

    text: str
    num_uncomputed: int
    hidden: tuple[str, ...] = ()


class _Sheet(NamedTuple):
    rows: list[list[str]]
    num_uncomputed: int


def workbook(path: Path) -> Workbook:
    """The workbook's text; what openpyxl raises for a damaged file comes through."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingExtra(
            "reading workbooks needs openpyxl", hint='pip install "finewright[documents]"'
        ) from None
    with path.open("rb") as of_values, path.open("rb") as of_formulas:
        values = load_workbook(of_values, read_only=True, data_only=True)
        formulas = load_workbook(of_formulas, read_only=True)
        sheets = {sheet.title: _sheet(sheet, formulas[sheet.title]) for sheet in values.worksheets}
    parts = [f"## {title}\n\n{_table(sheet.rows)}" for title, sheet in sheets.items() if sheet.rows]
    shown = {each.title for each in values.worksheets if each.sheet_state == "visible"}
    hidden = tuple(title for title, sheet in sheets.items() if sheet.rows and title not in shown)
    num_uncomputed = sum(sheet.num_uncomputed for sheet in sheets.values())
    return Workbook("\n\n".join(parts), num_uncomputed, hidden)


# Any: openpyxl has no types for us.
def _sheet(values: Any, formulas: Any) -> _Sheet:
    """The rows that have anything in them, up to the last column that has."""
    rows: list[list[str]] = []
    num_uncomputed = 0
    for row, of_formulas in zip_longest(_cells(values), _cells(formulas), fillvalue=()):
        num_uncomputed += sum(
            value is None and formula is not None
            for value, formula in zip_longest(row, of_formulas)
        )
        shown = [_shown(value) for value in row]
        if any(shown):
            rows.append(shown)
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=0)
    return _Sheet([[*row, *[""] * width][:width] for row in rows], num_uncomputed)


def _cells(sheet: Any) -> Iterator[Sequence[Any]]:
    # What a file says of its size need not be true.
    sheet.reset_dimensions()
    yield from sheet.iter_rows(values_only=True)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return " ".join(str(value).split()).replace("|", "\\|")


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *others = rows
    lines = [header, ["---"] * len(header), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
