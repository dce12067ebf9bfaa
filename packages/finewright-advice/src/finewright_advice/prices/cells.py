"""One walk over the rows of a CSV file: a wrong cell costs its row alone, and is noted with its line.

A kind of CSV file: known by its columns, read by its own reader."""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from finewright.catalog.price_file import ImportedPrices, PriceOrigin
from finewright.errors import DataError
from finewright.schema.catalog import PriceCatalog

CsvRow = Mapping[str, str | None]
Found = TypeVar("Found")


class WrongCellError(Exception):
    """A cell that makes its row useless; says the column and what is wrong: with the cell's text given, what
    is wrong goes for others too, and is counted apart from what else is wrong in the column."""

    def __init__(self, column: str, what: str, cell: str | None = None) -> None:
        super().__init__(column, what, cell)
        self.column = column
        self.kind = what if cell is not None else ""
        self.what = what if cell is None else f"{cell!r} {what}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The rows of a file that gave nothing."""

    reasons: Counter[str] = field(default_factory=Counter)
    """Why -> rows; a wrong cell is counted by its column and what is wrong, with the line of the first."""
    bad_lines: list[str] = field(default_factory=list)
    """Every line that a wrong cell made useless."""
    _first: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, wrong: WrongCellError, line: int) -> None:
        """Count a row with a wrong cell."""
        first = f"{wrong.column}: first in line {line}: {wrong.what}"
        self.reasons[self._first.setdefault((wrong.column, wrong.kind), first)] += 1
        self.bad_lines.append(f"line {line}: {wrong.column}: {wrong.what}")

    def nothing_left(self, path: Path) -> DataError:
        """What is raised where no row could be used."""
        why = "; ".join(f"{reason} ({count})" for reason, count in self.reasons.items())
        return DataError(f"{path}: no row can be used: {why or 'it has none'}")


def header_of(path: Path) -> set[str]:
    """The names of a file's columns; none where it is no CSV that can be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def walk(
    path: Path, read: Callable[[CsvRow], Iterable[Found]], left_out: LeftOut
) -> Iterator[Found]:
    """What each row gives; raises DataError for what is no CSV file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                try:
                    check_width(row)
                    found = list(read(row))
                except WrongCellError as wrong:
                    left_out.note(wrong, reader.line_num)
                else:
                    yield from found
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8: {error}") from None


def check_width(row: CsvRow) -> None:
    """Refuse a row with more cells than the header: a decimal comma without quotes moves the cells."""
    more = cast("Mapping[str | None, list[str]]", row).get(None, [])  # as DictReader has them
    if any(cell.strip() for cell in more):
        what = f"{len(more)} more than the header names; a comma in a cell needs quotes around it"
        raise WrongCellError("cells", what)


def cell(row: CsvRow, column: str) -> str:
    """The text of a cell without the spaces around it; empty where the row ends before it."""
    return (row.get(column) or "").strip()


def cell_number(row: CsvRow, column: str) -> float:
    """The number from 0 on in a cell; raises WrongCellError for any other text."""
    text = cell(row, column)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if value < 0:
        raise WrongCellError(column, "is no number from 0 on", text)
    if not math.isfinite(value):
        what = "; write a decimal point, and nothing between thousands" if "," in text else ""
        raise WrongCellError(column, f"is no number{what}", text)
    return value


def cell_count(row: CsvRow, column: str) -> int:
    """The whole number from 0 on in a cell; raises WrongCellError for any other text."""
    value = cell_number(row, column)
    if value != int(value):
        raise WrongCellError(column, f"{value:g} is no whole number")
    return int(value)


def no_provider(path: Path) -> str:
    """Of a file whose rows name their providers."""
    return ""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A `finewright.catalog.price_file.PriceFile`."""

    form: str
    columns: frozenset[str]
    """Those that it must have."""
    reader: Callable[[Path, PriceOrigin, PriceCatalog], ImportedPrices]
    provider_of: Callable[[Path], str] = no_provider
    layout: str = ""
    """Where the files of a folder lie, as a pattern; empty where there is no such layout."""

    def recognises(self, path: Path) -> bool:
        """Whether the header has the columns."""
        return self.columns <= header_of(path)

    def check(self, path: Path) -> None:
        """Raise DataError where a column is missing."""
        if missing := sorted(self.columns - header_of(path)):
            what = f"has no column {', '.join(missing)}"
            raise DataError(f"{path}:1: {what}", hint=f"expected is: {self.form}")

    def files_in(self, folder: Path) -> Sequence[Path]:
        """The files of the layout, by their names."""
        return sorted(folder.glob(self.layout)) if self.layout else ()

    def read(self, path: Path, origin: PriceOrigin, known: PriceCatalog) -> ImportedPrices:
        """The rows that can be used; raises DataError where there are none."""
        return self.reader(path, origin, known)
