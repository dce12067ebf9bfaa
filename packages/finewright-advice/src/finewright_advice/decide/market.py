"""What may be rented in a case: machines for a month or to train on, and workers paid by the second."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

from finewright.schema.catalog import PriceCatalog
from finewright_advice.decide.case import Case
from finewright_advice.decide.offers import Lease, Trust, rented
from finewright_advice.decide.scale_to_zero import workers
from finewright_advice.decide.serving import Host


class Market(NamedTuple):
    """Machines for rent by what they are for."""

    serving: list[Host]
    training: list[Host]
    workers: list[Host]
    """That scale to zero; none where data are regulated, for many users share them."""


MarketOf: TypeAlias = Callable[[int, Trust], Market]
"""Months of use, and whose machines may be taken -> what may be rented."""


def trust_of(case: Case) -> Trust:
    """Whose machines may see the data: by their class, and by what the law calls special categories."""
    if case.data_class == "regulated":
        return "alone"
    is_secret = case.data_class == "confidential" or case.personal_data == "special"
    return "companies" if is_secret else "any"


def market_with(prices: PriceCatalog) -> MarketOf:
    """The markets of these prices, each found once."""

    @cache
    def market(months: int, trust: Trust) -> Market:
        return Market(
            serving=rented(prices, Lease(months, trust)),
            training=rented(prices, Lease(0, trust, is_for_training=True)),
            workers=[] if trust == "alone" else workers(prices),
        )

    return market
