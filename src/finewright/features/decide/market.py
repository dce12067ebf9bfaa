"""What may be rented in a case: machines for a month or to train on, and workers paid by the second."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

from finewright.features.decide.scale_to_zero import workers
from finewright.features.decide.serving import Host, Lease, rented
from finewright.schema.catalog import PriceCatalog


class Market(NamedTuple):
    """Machines for rent by what they are for."""

    serving: list[Host]
    training: list[Host]
    workers: list[Host]
    """That scale to zero; none where data are regulated, for many users share them."""


MarketOf: TypeAlias = Callable[[int, bool], Market]
"""Months of use, and whether data are regulated -> what may be rented."""


def market_with(prices: PriceCatalog) -> MarketOf:
    """The markets of these prices, each found once."""

    @cache
    def market(months: int, is_regulated: bool) -> Market:
        return Market(
            serving=rented(prices, Lease(months, is_regulated)),
            training=rented(prices, Lease(0, is_regulated, is_for_training=True)),
            workers=[] if is_regulated else workers(prices),
        )

    return market
