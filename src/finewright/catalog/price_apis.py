"""Prices of APIs from a CSV file of one's own, with the names of the YAML's keys as its columns.

A row must have `model`, `usd_per_million_in` and `usd_per_million_out`, and `provider` where the import names
none; it may have `usd_per_million_cached`, `batch_share` (what a batch within a day costs of the price) and
`context_tokens`. What else the catalog knows of the model stays; a wrong cell costs its row alone."""

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from finewright.catalog.price_import import (
    Imported,
    PriceOrigin,
    WrongCellError,
    cell_number,
    check_width,
)
from finewright.errors import DataError
from finewright.schema.catalog import API, PriceCatalog

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KEPT = ("batch_share", "context_tokens", "can_fine_tune", "deprecation_date")


def read_api_csv(path: Path, origin: PriceOrigin, known: PriceCatalog) -> Imported:
    """The APIs of a CSV file, and what was left out of it; raises DataError where nothing is left."""
    old = {api.key(): api for api in known.apis}
    apis: dict[tuple[str, ...], API] = {}
    left_out: Counter[str] = Counter()
    bad_lines: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                try:
                    api = _api(row, origin, old)
                except WrongCellError as wrong:
                    column, what = wrong.args
                    left_out[f"{column}: {what}"] += 1
                    bad_lines.append(f"line {reader.line_num}: {column}: {what}")
                else:
                    apis[api.key()] = api
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8: {error}") from None
    if not apis:
        why = "; ".join(bad_lines[:3])
        raise DataError(f"{path}: no row can be used: {why or 'it has none'}")
    return Imported((), dict(left_out), tuple(bad_lines), apis=tuple(apis.values()))


def _api(
    row: Mapping[str, str | None], origin: PriceOrigin, old: Mapping[tuple[str, ...], API]
) -> API:
    check_width(row)
    provider = (row.get("provider") or origin.provider).strip().casefold()
    model = (row.get("model") or "").strip()
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
        if (row.get(key) or "").strip():
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
