"""Where prices of others come from: a kind of file that is imported, and a list that a package carries."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol

from finewright.schema.catalog import API, Machine, PriceCatalog
from finewright.schema.common import Problem


class PriceOrigin(NamedTuple):
    """What the files do not say of themselves."""

    provider: str
    source: str
    observed_at: date
    region: str = ""
    """Only regions whose names begin so."""


class ImportedPrices(NamedTuple):
    """The machines or APIs of a file, and the rows that gave none by the reason."""

    machines: tuple[Machine, ...]
    apis: tuple[API, ...]
    left_out: dict[str, int]
    bad_lines: tuple[str, ...] = ()
    """Every line that a wrong cell made useless."""
    problems: tuple[Problem, ...] = ()


class PriceFile(Protocol):
    """A kind of file with prices. `check` and `read` raise DataError with one line for every mistake."""

    @property
    def form(self) -> str:
        """What such a file is, to go on `known are`."""

    def recognises(self, path: Path) -> bool:
        """Whether a file is one, by its name or its first line; reads no more of it."""

    def check(self, path: Path) -> None:
        """Refuse what is no such file, whatever is or is not said of it."""

    def provider_of(self, path: Path) -> str:
        """The provider that the place of the file names; empty where it names none."""

    def files_in(self, folder: Path) -> Sequence[Path]:
        """The files of a folder that is laid out as catalogs of this kind are; none of any other."""

    def read(self, path: Path, origin: PriceOrigin, known: PriceCatalog) -> ImportedPrices:
        """The rows that can be used, and why each other one is left out."""


class RefreshedPrices(NamedTuple):
    """Rows that are newer than the catalog's, and why each other one was left alone."""

    source: str
    apis: tuple[API, ...]
    left_alone: dict[str, str]
    """provider/model -> why."""


class PriceList(Protocol):
    """The prices of APIs that an installed package carries."""

    def __call__(
        self, catalog: PriceCatalog, today: date, also: Sequence[str] = ()
    ) -> RefreshedPrices:
        """The catalog's APIs, and `also` (provider/model), as the package has them on that day."""
