"""`catalog refresh`: prices of APIs from the installed genai-prices."""

import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import finewright_advice.prices.genai
from finewright.catalog.prices import api_named, prices
from finewright.conformance.price_list import PriceListConformance
from finewright.errors import DataError
from finewright.report.show import text_of
from finewright.workbench.price_files import refresh

TODAY = date(2026, 11, 25)


class TestGenai(PriceListConformance):
    name = "genai-prices"


def price(**rates: float | tuple[float, int, float]) -> SimpleNamespace:
    """A price as genai-prices has it: a Decimal, or one with a step; None for what is not said."""
    made: dict[str, object] = {"input_mtok": None, "output_mtok": None, "cache_read_mtok": None}
    for name, rate in rates.items():
        if isinstance(rate, tuple):
            tier = SimpleNamespace(start=rate[1], price=Decimal(str(rate[2])))
            made[name] = SimpleNamespace(base=Decimal(str(rate[0])), tiers=[tier])
        else:
            made[name] = Decimal(str(rate))
    return SimpleNamespace(**made)


def model(id: str, prices: SimpleNamespace, comment: str | None) -> SimpleNamespace:
    return SimpleNamespace(
        id=id,
        prices=prices,
        price_comments=comment,
        context_window=1000,
        get_prices=lambda _: prices,
    )


@pytest.fixture
def genai(monkeypatch):
    """Stand-ins for the package with the models that a test asks for."""

    def install(models: Sequence[SimpleNamespace], comment: str | None = None) -> None:
        provider = SimpleNamespace(id="openai", models=models, price_comments=comment)
        package, data, types = (
            ModuleType(name) for name in ("genai_prices", "genai_prices.data", "genai_prices.types")
        )
        vars(data)["providers"] = [provider]
        vars(types)["StartDateConstraint"] = type("StartDateConstraint", (), {})
        for module in (package, data, types):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(finewright_advice.prices.genai, "version", lambda _: "9.9")

    return install


def test_a_refresh_brings_newer_prices_and_keeps_what_the_package_does_not_know(
    genai, folder: Path
):
    long = price(input_mtok=(0.3, 200_000, 0.6), output_mtok=(0.7, 200_000, 0.9))
    genai([model("gpt-6-luna", long, "verified on 2026-11-20 and due on 2026-12-24")])
    report = refresh(folder, TODAY)
    (change,) = report.changes
    assert (change.before, change.after) == ("0.1 / 0.5", "0.3 / 0.7")
    luna = api_named(prices(folder), "gpt-6-luna")
    assert luna.observed_at == date(2026, 11, 20)
    assert luna.can_fine_tune is False
    assert luna.long_context is not None
    assert luna.long_context.above_tokens == 200_000
    assert luna.long_context.usd_per_million_out.median == 0.9
    assert "written to" in text_of(report)
    again = refresh(folder, TODAY)
    assert (again.changes, again.written) == ((), "")
    assert again.left_alone["openai/gpt-6-luna"] == "unchanged"


def test_a_price_without_a_day_or_older_than_ours_is_left_alone(genai, folder: Path):
    genai(
        [
            model("gpt-6-luna", price(input_mtok=9, output_mtok=9), None),
            model("gpt-6.1-sol", price(input_mtok=9, output_mtok=9), "seen 2026-01-01"),
            model("gpt-4o", price(input_mtok=9), "seen 2026-11-20"),
        ]
    )
    alone = refresh(folder, TODAY).left_alone
    assert alone["openai/gpt-6-luna"] == "genai-prices does not say when it saw the price"
    assert alone["openai/gpt-6.1-sol"] == "the catalog's is newer (2026-10-14)"
    assert alone["openai/gpt-4o"] == "has no price a token"
    assert alone["google/gemini-3.5-flash"] == "not in genai-prices under this name"
    assert not folder.exists()


def test_the_providers_day_stands_in_for_the_models(genai, folder: Path):
    genai([model("gpt-6-luna", price(input_mtok=9, output_mtok=9), "no day")], "as of 2026-11-01")
    (change,) = refresh(folder, TODAY).changes
    assert change.observed_at == date(2026, 11, 1)


def test_models_can_be_added_and_stay_at_the_next_refresh(genai, folder: Path):
    genai([model("gpt-7", price(input_mtok=3, output_mtok=6), "seen 2026-11-20")])
    (change,) = refresh(folder, TODAY, also=["openai/gpt-7"]).changes
    assert (change.model, change.before) == ("gpt-7", "")
    genai(
        [
            model("gpt-7", price(input_mtok=3, output_mtok=6), "seen 2026-11-20"),
            model("gpt-6-luna", price(input_mtok=9, output_mtok=9), "seen 2026-11-21"),
        ]
    )
    refresh(folder, TODAY)
    assert api_named(prices(folder), "gpt-7").usd_per_million_in.median == 3
    assert api_named(prices(folder), "gpt-6-luna").usd_per_million_in.median == 9


@pytest.mark.parametrize("name", ["opena/gpt-7", "gpt-7", "openai/"])
def test_a_model_to_add_names_a_provider_of_the_catalog(name: str, genai, folder: Path):
    genai([])
    with pytest.raises(DataError, match="names no provider of the catalog"):
        refresh(folder, TODAY, also=[name])


def test_our_prices_are_those_of_the_package_that_they_name(folder: Path):
    report = refresh(folder, TODAY)
    assert report.left_alone["openai/gpt-6.1-terra"] in {
        "unchanged",
        "the catalog's is newer (2026-10-26)",
    }
