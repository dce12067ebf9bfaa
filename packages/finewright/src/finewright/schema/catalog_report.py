"""What `catalog list`, `check`, `import` and `refresh` answer."""

from datetime import date

from finewright.schema.catalog import Deadline, Freshness, PriceCatalog
from finewright.schema.common import Model, Problem


class CatalogList(Model):
    """The facts that were asked for, how old they are, and what ends soon."""

    today: date
    digest: str
    """Of the whole catalog, as estimates print it."""
    files: tuple[str, ...]
    """The user's own files that lie over the packaged facts."""
    catalog: PriceCatalog
    ages: dict[str, Freshness]
    """Section -> the freshness of its oldest row."""
    ending: tuple[Deadline, ...]
    problems: tuple[Problem, ...]


class CatalogCheck(Model):
    """A file that can be used, and what is old in it; a file with a mistake gives no report."""

    path: str
    rows: dict[str, int]
    replaced: tuple[str, ...]
    """The rows of the catalog that the file's rows would take the place of."""
    problems: tuple[Problem, ...]


class CatalogImport(Model):
    """What came of a file of prices: where it lies, and what of it could not be used."""

    path: str
    format: str
    written: str
    rows: dict[str, int]
    replaced: tuple[str, ...]
    left_out: dict[str, int]
    """Reason -> rows of the file."""
    problems: tuple[Problem, ...]
    bad_lines: tuple[str, ...] = ()
    """Every line that a wrong cell made useless, with what is wrong."""
    lists_all: bool = False
    """Whether the text lists all of them, or the first."""


class PriceChange(Model):
    """A price before and after: dollars a million tokens, in and out."""

    provider: str
    model: str
    before: str
    after: str
    observed_at: date


class CatalogRefresh(Model):
    """What a refresh brought: changed prices, and why others were left alone."""

    source: str
    written: str
    """Empty where there was nothing to write."""
    changes: tuple[PriceChange, ...]
    left_alone: dict[str, str]
    """API -> why it was left as it is."""
