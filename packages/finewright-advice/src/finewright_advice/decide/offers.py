"""What is for rent: machines by kind and number of GPUs, each with all its offers."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

from finewright.schema.catalog import Machine, PriceCatalog
from finewright_advice.decide.serving import Host, Tiers, host_of
from finewright_advice.estimate.money import spread

_SERVED_TIERS = ("community", "secure", "on_demand")
_OWN_CENTRES = frozenset({"nebius"})
"""Hosts of models whose machines for rent are their own."""
Trust = Literal["any", "companies", "alone"]
"""Whose machines may be taken: anybody's; no private person's; nor of a market or of a stranger."""


class Lease(NamedTuple):
    """What is asked of machines for rent."""

    months: int = 0
    """How long it is to be in use: what is reserved for no longer is an offer too."""
    trust: Trust = "any"
    is_for_training: bool = False
    """A run goes on from its checkpoint, so that a machine may be taken away (spot)."""


def rented(prices: PriceCatalog, lease: Lease | None = None) -> list[Host]:
    """A machine for each kind and number of GPUs that somebody rents out without a limit on sessions.

    Low and high are the cheapest and the dearest offer, the median that of all offers. Cards without
    bfloat16 are left out: models are published in it, and servers of today leave such cards out."""
    lease = lease or Lease()
    strangers = {provider.name for provider in prices.providers if provider.is_host} - _OWN_CENTRES

    private = private_tiers(prices)

    def may(machine: Machine) -> bool:
        is_private = (machine.provider, machine.tier) in private
        is_shut = is_private and lease.trust != "any"
        is_shut |= machine.provider in strangers and lease.trust == "alone"
        return not is_shut and _is_offer(machine, lease)

    return offered(prices, may)


def private_tiers(prices: PriceCatalog) -> Tiers:
    """The offers whose machines may stand with private persons."""
    return frozenset((row.name, tier) for row in prices.providers for tier in row.private_tiers)


def offered(prices: PriceCatalog, may: Callable[[Machine], bool]) -> list[Host]:
    """A machine for each kind and number of GPUs with bfloat16, from the cheapest to the dearest of those
    offers that may be taken; the median is that of all."""
    new = {gpu.name: gpu for gpu in prices.gpus if gpu.bf16_tflops is not None}
    kinds: dict[tuple[str, int], list[Machine]] = defaultdict(list)
    for machine in prices.machines:
        if machine.gpu in new and may(machine):
            kinds[machine.gpu, machine.num_gpus].append(machine)
    private = private_tiers(prices)
    hosts = (
        host_of(new[gpu], n, spread(offer.usd_per_hour for offer in offers), tuple(offers))
        for (gpu, n), offers in kinds.items()
    )
    return [replace(host, private=private) for host in hosts]


def _is_offer(machine: Machine, lease: Lease) -> bool:
    if machine.max_session_hours is not None:
        return False
    if machine.term_months is not None:
        return machine.term_months <= lease.months
    return machine.tier in _SERVED_TIERS or (machine.tier == "spot" and lease.is_for_training)
