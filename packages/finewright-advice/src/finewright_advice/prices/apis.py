"""Prices of APIs from a CSV file of one's own, with the names of the YAML's keys as its columns.

A row must have `model`, `usd_per_million_in` and `usd_per_million_out`, and `provider` where the import names
none; it may have `usd_per_million_cached`, `batch_share` (what a batch within a day costs of the price) and
`context_tokens`. What else the catalog knows of the model stays; a wrong cell costs its row alone."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from finewright.catalog.price_file import ImportedPrices, PriceOrigin
from finewright.schema.catalog import API, PriceCatalog
from finewright_advice.prices.cells import (
    CsvFile,
    CsvRow,
    LeftOut,
    WrongCellError,
    cell,
    cell_number,
    walk,
)

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KEPT = ("batch_share", "context_tokens", "can_fine_tune", "deprecation_date")


def _read(path: Path, origin: PriceOrigin, known: PriceCatalog) -> ImportedPrices:
    """The APIs of a CSV file, and what was left out of it; raises DataError where nothing is left."""
    old = {api.key(): api for api in known.apis}
    left_out = LeftOut()

    def read(row: CsvRow) -> Iterator[API]:
        yield _api(row, origin, old)

    apis = {api.key(): api for api in walk(path, read, left_out)}
    if not apis:
        raise left_out.nothing_left(path)
    return ImportedPrices(
        (), tuple(apis.values()), dict(left_out.reasons), tuple(left_out.bad_lines)
    )


def _api(row: CsvRow, origin: PriceOrigin, old: Mapping[tuple[str, ...], API]) -> API:
    provider = (cell(row, "provider") or origin.provider).casefold()
    model = cell(row, "model")
    if not _PROVIDER.fullmatch(provider):
        what = f"{provider!r} is no name of a provider: a column provider, or --provider NAME"
        raise WrongCellError("provider", what)
    if not model:
        raise WrongCellError("model", "the row has none")
    there = old.get((provider, model))
    values: dict[str, object] = {key: getattr(there, key) for key in _KEPT} if there else {}
    for key in ("usd_per_million_in", "usd_per_million_out"):
        values[key] = cell_number(row, key)
    for key in ("usd_per_million_cached", "batch_share", "context_tokens"):
        if cell(row, key):
            number = cell_number(row, key)
            values[key] = int(number) if key == "context_tokens" else number
    try:
        return API.model_validate(
            {
                **values,
                "provider": provider,
                "model": model,
                "method": "own price list",
                "source": origin.source,
                "observed_at": origin.observed_at,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = first["msg"].removeprefix("Value error, ")
        raise WrongCellError(str(first["loc"][0] if first["loc"] else "price"), what) from None


API_CSV = CsvFile(
    form="a CSV with the columns model, usd_per_million_in and usd_per_million_out"
    " (provider, usd_per_million_cached, batch_share)",
    columns=frozenset({"model", "usd_per_million_in", "usd_per_million_out"}),
    reader=_read,
)
