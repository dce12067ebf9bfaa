"""Energy and carbon by hand, and whose grid figures they stand on."""

import json
import sys
from importlib.util import find_spec

import pytest

from finewright.catalog import grids
from finewright.catalog.grids import grid_of
from finewright.catalog.prices import gpu_named, merged, packaged_prices
from finewright.errors import DataError
from finewright.estimate.energy import co2e_kg, energy, energy_kwh, machine_watts
from finewright.estimate.money import exact
from finewright.schema.catalog import Grid, PriceCatalog
from finewright.schema.cost import Range


@pytest.fixture
def without_codecarbon(monkeypatch):
    monkeypatch.setattr(grids, "_codecarbon", dict)


def test_a_kilowatt_for_ten_hours_is_ten_kilowatt_hours():
    assert energy_kwh(1000, 10) == exact(10)
    spread = energy_kwh(300, Range(low=1, median=2, high=4), Range(low=1, median=1.5, high=2))
    assert (spread.low, spread.median, spread.high) == pytest.approx((0.3, 0.9, 2.4))


def test_a_machine_draws_what_its_gpus_and_all_else_draw():
    h100 = gpu_named(packaged_prices(), "H100 SXM")
    assert machine_watts(h100, 8, other_watts=2000) == 8 * 700 + 2000


def test_germany_emits_about_seven_times_what_france_does(without_codecarbon):
    kwh = exact(100)
    germany = co2e_kg(kwh, grid_of(packaged_prices(), "DEU")).median
    france = co2e_kg(kwh, grid_of(packaged_prices(), "FRA")).median
    assert germany == pytest.approx(38.1, abs=0.1)
    assert germany / france == pytest.approx(6.8, abs=0.1)


def test_both_figures_say_by_which_grid(without_codecarbon):
    found = energy(450, 3.2, exact(1.54), grid_of(packaged_prices(), "USA"))
    assert found.kwh.median == pytest.approx(0.45 * 3.2 * 1.54)
    assert found.kg_co2e.median == pytest.approx(found.kwh.median * 0.369473)
    assert found.country == "USA"
    assert found.grid.startswith("United States 2023, 369 g/kWh by ")


def test_the_world_stands_in_for_a_country_that_is_not_said(without_codecarbon):
    assert grid_of(packaged_prices(), "WLD").g_co2e_per_kwh == 475


def test_an_unknown_country_is_said_with_its_mend(without_codecarbon):
    with pytest.raises(DataError, match="no grid of a country 'XYZ'") as raised:
        grid_of(packaged_prices(), "XYZ")
    assert "DEU" in raised.value.hint


def test_codecarbons_data_win_over_ours_and_the_users_own_over_both(tmp_path, monkeypatch):
    package = tmp_path / "codecarbon"
    table = package / "data" / "private_infra" / "global_energy_mix.json"
    table.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    row = {"country_name": "Germany", "carbon_intensity": 300.5, "year": 2025}
    table.write_text(json.dumps({"DEU": row}))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "codecarbon", raising=False)
    monkeypatch.setattr(grids, "version", lambda _: "9.9")
    grids._codecarbon.cache_clear()
    try:
        found = grid_of(packaged_prices(), "DEU")
        own = Grid(
            country="DEU",
            name="Our solar roof",
            g_co2e_per_kwh=41,
            year=2026,
            source="our meter",
            observed_at="2026-11-01",
        )
        users = merged(packaged_prices(), PriceCatalog(grids=(own,)))
        assert (found.g_co2e_per_kwh, found.year) == (300.5, 2025)
        assert found.source.startswith("codecarbon 9.9 ")
        assert grid_of(packaged_prices(), "FRA").source.startswith("codecarbon 3.3.2 ")
        assert grid_of(users, "DEU") == own
    finally:
        grids._codecarbon.cache_clear()


@pytest.mark.skipif(find_spec("codecarbon") is None, reason="codecarbon is not installed")
def test_our_rows_are_those_of_the_package_that_they_name():
    table = grids._codecarbon()
    for row in packaged_prices().grids:
        if row.country in table:
            assert table[row.country].g_co2e_per_kwh == row.g_co2e_per_kwh
