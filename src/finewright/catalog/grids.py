"""Grams of carbon dioxide a kWh by country: codecarbon's offline data where installed, else our own rows."""

import json
from datetime import date
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from finewright.catalog.prices import packaged_prices
from finewright.errors import DataError
from finewright.schema.catalog import Grid, PriceCatalog

WORLD = "WLD"
_MIX = "data/private_infra/global_energy_mix.json"


def grid_of(catalog: PriceCatalog, country: str) -> Grid:
    """The grid of a country by its ISO 3166-1 alpha-3 code; WLD is the world's mean.

    A row of the user's own wins, then codecarbon's (213 countries), then the packaged rows; the row's
    source says which. Raises DataError for a country that none of them has."""
    own = {row.country: row for row in catalog.grids}
    packaged = {row.country: row for row in packaged_prices().grids}
    if country in own and own[country] != packaged.get(country):
        return own[country]
    found = _codecarbon().get(country) or own.get(country)
    if found is None:
        hint = f"such as DEU, FRA, USA, or {WORLD} for the world's mean"
        raise DataError(f"no grid of a country {country!r}: give its three letters", hint=hint)
    return found


@cache
def _codecarbon() -> dict[str, Grid]:
    """codecarbon's table by country, read as a file: importing the package would load pandas."""
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(spec.submodule_search_locations[0]) / _MIX
    release = version("codecarbon")
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {
        code: Grid(
            country=code,
            name=row["country_name"],
            g_co2e_per_kwh=row["carbon_intensity"],
            year=row["year"],
            source=f"codecarbon {release} {_MIX} (Our World in Data)",
            # A yearly statistic is as old as its year, whenever the package was installed.
            observed_at=date(row["year"], 12, 31),
        )
        for code, row in rows.items()
    }
