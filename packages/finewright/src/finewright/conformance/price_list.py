"""What every list of API prices that a package carries must do: a test module subclasses
`PriceListConformance` and says the plugin's `name`."""

from datetime import date
from typing import ClassVar

import pytest

from finewright import plugins
from finewright.catalog.price_file import PriceList, RefreshedPrices
from finewright.catalog.prices import read_packaged_prices
from finewright.schema.catalog import PriceCatalog

_DAY = date(2026, 11, 27)
_STRANGER = "openai/no-such-model"


class PriceListConformance:
    """The claims, on what the installed package carries."""

    name: ClassVar[str]

    @pytest.fixture
    def prices(self) -> PriceList:
        found: PriceList = plugins.resolve("price_list", self.name)
        return found

    @pytest.fixture
    def refreshed(self, prices: PriceList) -> RefreshedPrices:
        return prices(read_packaged_prices(), _DAY, [_STRANGER])

    def test_each_api_has_a_newer_price_or_a_reason_why_not(
        self, refreshed: RefreshedPrices
    ) -> None:
        wanted = {f"{api.provider}/{api.model}" for api in read_packaged_prices().apis}
        found = [f"{api.provider}/{api.model}" for api in refreshed.apis]
        assert len(found) == len(set(found))
        assert {*found, *refreshed.left_alone} == wanted | {_STRANGER}
        assert not set(found) & refreshed.left_alone.keys()
        assert all(refreshed.left_alone.values())
        assert _STRANGER in refreshed.left_alone

    def test_a_price_is_of_a_day_and_of_the_package(self, refreshed: RefreshedPrices) -> None:
        ours = {api.key(): api.observed_at for api in read_packaged_prices().apis}
        assert refreshed.source
        for api in refreshed.apis:
            assert ours[api.key()] <= api.observed_at <= _DAY
            assert api.source == refreshed.source

    def test_what_it_brought_is_unchanged_the_next_time(
        self, prices: PriceList, refreshed: RefreshedPrices
    ) -> None:
        brought = PriceCatalog(apis=refreshed.apis)
        again = prices(brought, _DAY)
        assert again.apis == ()
        assert again.left_alone.keys() == {"/".join(api.key()) for api in refreshed.apis}
        assert prices(read_packaged_prices(), _DAY, [_STRANGER]) == refreshed

    def test_a_price_of_a_later_day_is_not_there_yet(self, prices: PriceList) -> None:
        early = date(2020, 1, 1)
        names = [f"{api.provider}/{api.model}" for api in read_packaged_prices().apis]
        assert all(api.observed_at <= early for api in prices(PriceCatalog(), early, names).apis)
