"""A kind of CSV file: known by its columns, read by its own reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finewright.catalog.price_source import ImportedPrices, PriceOrigin
from finewright.errors import DataError
from finewright.schema.catalog import PriceCatalog
from finewright_advice.prices.cells import header_of


def no_provider(path: Path) -> str:
    """Of a file whose rows name their providers."""
    return ""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A `finewright.catalog.price_source.PriceFile`."""

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
