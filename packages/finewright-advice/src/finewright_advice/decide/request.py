"""One request as an arm makes it: its tokens, and what it costs and takes at an API.

What is for rent: machines by kind and number of GPUs, each with all its offers."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from finewright.schema.catalog import API, Machine, PriceCatalog
from finewright.schema.cost import Range
from finewright_advice.decide.arms import Arm
from finewright_advice.decide.case import Case
from finewright_advice.decide.serving import Host, Tiers, host_of
from finewright_advice.estimate.money import DAYS_A_MONTH, api_request, product, spread, total

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


_MINUTES_A_MONTH = DAYS_A_MONTH * 24 * 60
_P95 = 0.95
_DAY_MS = 24 * 3600 * 1000.0


@dataclass(frozen=True, slots=True)
class RequestShape:
    """The requests of a case, with what is taken for granted and what a search takes."""

    case: Case
    taken: Mapping[str, Range]
    search_ms: Range

    def prompt(self, arm: Arm) -> float:
        """Tokens of a prompt that differ from request to request."""
        added = self.case.at("retrieved", self.taken["retrieved_tokens"])
        return self.case.prompt_tokens + (added if arm.is_searched else 0.0)

    def tokens(self, arm: Arm) -> float:
        """Tokens that the context must hold at once."""
        documents = self.case.corpus_tokens if arm.method == "prompt+long-context" else 0.0
        return documents + self.prompt(arm) + self.case.tokens_out

    def at_api(self, api: API, arm: Arm, *, in_batches: bool) -> Range:
        """What a request costs at an API; of a long prompt the documents are mostly read from its cache."""
        return product(self._at_once(api, arm), (api.batch_share or 1.0) if in_batches else 1.0)

    @property
    def may_wait(self) -> bool:
        """Whether answers may come within a day, as those of a batch do."""
        return "latency_p95_ms" in self.case.stated and self.case.latency_p95_ms.limit >= _DAY_MS

    def _at_once(self, api: API, arm: Arm) -> Range:
        case = self.case
        if arm.method != "prompt+long-context":
            return api_request(api, self.prompt(arm), case.tokens_out)
        minutes = self.taken["cache_minutes"]
        whole = case.corpus_tokens + case.prompt_tokens

        def at(point: float) -> Range:
            cached = case.corpus_tokens * self.chance_of_cache(point)
            return api_request(api, whole, case.tokens_out, cached)

        return Range(
            low=at(minutes.high).low, median=at(minutes.median).median, high=at(minutes.low).high
        )

    def chance_of_cache(self, minutes: float) -> float:
        """The chance that another request came within the cache's time: 1 - exp(-rate x minutes)."""
        return 1 - math.exp(-self.case.requests_per_month / _MINUTES_A_MONTH * minutes)

    def api_ms(self, arm: Arm, api: API, *, in_batches: bool) -> Range:
        """How long an API takes to read the prompt and to write the last token, of 95 in 100.

        Documents in the prompt are read anew, unless 95 in 100 requests find them in the cache; a batch takes
        up to a day."""
        if in_batches:
            return Range(low=3600 * 1000.0, median=_DAY_MS, high=_DAY_MS)
        first, speed = self.taken["api_first_token_ms"], self.taken["api_tokens_per_second"]
        reading, minutes = self.taken["api_read_tokens_per_second"], self.taken["cache_minutes"]
        out = 1000 * self.case.tokens_out

        def read(kept: float, tokens_per_second: float) -> float:
            is_long = arm.method == "prompt+long-context" and self.chance_of_cache(kept) < _P95
            documents = self.case.corpus_tokens if is_long else 0.0
            return 1000 * (self.prompt(arm) + documents) / tokens_per_second

        answer = Range(
            low=first.low + read(minutes.high, reading.high) + out / speed.high,
            median=first.median + read(minutes.median, reading.median) + out / speed.median,
            high=first.high + read(minutes.low, reading.low) + out / speed.low,
        )
        return total(answer, self.search_ms) if arm.is_searched else answer


def list_rented(prices: PriceCatalog, lease: Lease | None = None) -> list[Host]:
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

    return list_offers(prices, may)


def private_tiers(prices: PriceCatalog) -> Tiers:
    """The offers whose machines may stand with private persons."""
    return frozenset((row.name, tier) for row in prices.providers for tier in row.private_tiers)


def list_offers(prices: PriceCatalog, may: Callable[[Machine], bool]) -> list[Host]:
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
