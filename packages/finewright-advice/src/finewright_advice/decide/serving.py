"""A model of one's own at work: which machine holds it, what that costs, how long an answer takes.

The cheapest machines that hold weights and cache, carry the busiest hour and answer in time are taken, once
with 16-bit weights and once with 4-bit ones: NF4 with double quantisation (Dettmers et al. 2023) in the
linear layers, and a mixture's experts as llama.cpp has them. Which of the two is taken, its worth decides."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from finewright.catalog.prices import gpu_named
from finewright.schema.catalog import GPU, Fact, Machine, PriceCatalog
from finewright.schema.cost import Range
from finewright_advice.decide.models import Bits, OpenModelFacts, Sizes
from finewright_advice.decide.spec import Device
from finewright_advice.estimate.money import HOURS_A_MONTH, product
from finewright_advice.estimate.serving import (
    BUSY,
    RequestWork,
    Speeds,
    answer_time,
    prompt_seconds,
    requests_per_second,
    step_seconds,
)

_GIB = 1024**3
_MONTH_SECONDS = HOURS_A_MONTH * 3600
USABLE = 0.95
"""Of the memory that a program finds: its own context and the allocator's slack take the rest."""
KINDS: tuple[Bits, ...] = (16, 4)
_NAMED = 3
Tiers: TypeAlias = frozenset[tuple[str, str]]
"""Provider and tier."""


class Need(NamedTuple):
    """What a served request holds and reads: tokens in the prompt that are new, that are cached, and out."""

    new_tokens: float
    cached_tokens: float
    out_tokens: float
    at_once: int


@dataclass(frozen=True, slots=True)
class Host:
    """A machine as serving sees it."""

    name: str
    memory_gib: float
    bandwidth_gb_s: float
    tflops: float
    usd_per_hour: Range
    is_own: bool
    count: float = math.inf
    """How many of it can be had."""
    gpus: int = 1
    """Among which the memory is shared."""
    facts: tuple[Fact, ...] = ()
    private: Tiers = frozenset()
    """The offers that may be private persons' machines."""

    @property
    def landlords(self) -> str:
        """Who rents it out in which tier, from the cheapest on, in words; empty where it is not for rent."""
        offers = [fact for fact in self.facts if isinstance(fact, Machine)]
        offers.sort(key=lambda offer: offer.usd_per_hour.median)
        names = list(dict.fromkeys(map(self._landlord, offers)))
        rest = f" or {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f" from {', '.join(names[:_NAMED])}{rest}" if names else ""

    def _landlord(self, offer: Machine) -> str:
        whose = ": private persons" if (offer.provider, offer.tier) in self.private else ""
        return f"{offer.provider} ({offer.tier.replace('_', ' ')}{whose})"

    @property
    def standing(self) -> str:
        """Whose it is, in words."""
        return "yours, its power alone" if self.is_own else f"rented all month{self.landlords}"


@dataclass(frozen=True, slots=True)
class Served:
    """A model on a machine that holds it."""

    host: Host
    bits: Bits
    memory_gib: float


class Demand(NamedTuple):
    """What the machines have to carry, at which shares of their peaks they work, and how long 95 of 100
    answers may take."""

    requests_per_month: float
    peak_over_mean: float
    most_at_once: float
    prefill: Range
    decode: Range
    most_ms: float = math.inf


class Seat(NamedTuple):
    """A model on as many machines as carry the demand; fewer if they are as fast as they may be, more if as
    slow. `carries` are the requests a month that one of them carries."""

    served: Served
    num: int
    fewest: int
    most: int
    carries: Range

    @property
    def usd_per_hour(self) -> float:
        """Of all the machines, at the middle price."""
        return self.served.host.usd_per_hour.median * self.num


def memory_gib(sizes: Sizes, bits: Bits, need: Need) -> float:
    """Weights, and keys and values of every request at once; a cached prefix is held once."""
    tokens = sizes.reach(need.cached_tokens)
    tokens += need.at_once * sizes.reach(need.new_tokens + need.out_tokens)
    return (sizes.held[bits] + tokens * sizes.cache_per_token) / _GIB


def seat_model(
    model: OpenModelFacts,
    need: Need,
    hosts: Sequence[Host],
    demand: Demand,
    kinds: Sequence[Bits] = KINDS,
) -> Seat | None:
    """The cheapest machines that hold the model, in the first of these kinds of weights that each holds, and
    carry the busiest hour; where they answer too late, the cheapest that do not. None where none carry it."""
    there = _by_price(model, need, hosts, demand, kinds)
    if not there:
        return None
    seat = seat_on(model, there[0], need, demand)
    if math.isinf(demand.most_ms) or _is_in_time(model, seat, need, demand):
        return seat
    others = (
        seat_on(model, served, need, demand)
        for served in there
        if _alone_ms(model, served, need, demand) <= demand.most_ms
    )
    return next((each for each in others if _is_in_time(model, each, need, demand)), seat)


def _by_price(
    model: OpenModelFacts,
    need: Need,
    hosts: Sequence[Host],
    demand: Demand,
    kinds: Sequence[Bits],
) -> list[Served]:
    """The model on each host of which there are enough, the cheapest first."""
    there = [
        (served.host.usd_per_hour.median * num, -served.bits, served)
        for served, num in counts_of(model, need, hosts, demand, kinds)
        if num <= served.host.count
    ]
    return [served for _, _, served in sorted(there, key=lambda each: each[:2])]


def counts_of(
    model: OpenModelFacts,
    need: Need,
    hosts: Sequence[Host],
    demand: Demand,
    kinds: Sequence[Bits] = KINDS,
) -> Iterator[tuple[Served, int]]:
    """The model on each host that holds it, and how many of the hosts carry the busiest hour."""
    works = {bits: _work(model, bits, need) for bits in kinds}
    prefill, decode, peak = demand.prefill.median, demand.decode.median, _peak(demand)
    for served in _fitting(model, need, hosts, kinds):
        most = _capacity(model, served, need, demand.most_at_once)
        rate = _rate(works[served.bits], served.host, most, prefill, decode)
        yield served, _machines(peak, rate)


def fits(model: OpenModelFacts, need: Need, hosts: Sequence[Host]) -> Served | None:
    """The cheapest machine that holds the model, whether or not it carries all requests."""
    found = _fitting(model, need, hosts)
    return min(found, key=lambda served: served.host.usd_per_hour.median, default=None)


def _fitting(
    model: OpenModelFacts, need: Need, hosts: Sequence[Host], kinds: Sequence[Bits] = KINDS
) -> Iterator[Served]:
    gibs = [(bits, memory_gib(model.sizes, bits, need)) for bits in kinds]
    for host in hosts:
        room = host.memory_gib * USABLE
        yield from [Served(host, bits, gib) for bits, gib in gibs if gib <= room][:1]


def seat_on(model: OpenModelFacts, served: Served, need: Need, demand: Demand) -> Seat:
    """As many of a machine as carry the busiest hour."""
    work, most = (
        _work(model, served.bits, need),
        _capacity(model, served, need, demand.most_at_once),
    )
    prefill, decode, peak = demand.prefill, demand.decode, _peak(demand)
    rates = Range(
        low=_rate(work, served.host, most, prefill.low, decode.low),
        median=_rate(work, served.host, most, prefill.median, decode.median),
        high=_rate(work, served.host, most, prefill.high, decode.high),
    )
    return Seat(
        served,
        num=_machines(peak, rates.median),
        fewest=_machines(peak, rates.high),
        most=_machines(peak, rates.low),
        carries=product(rates, _MONTH_SECONDS / demand.peak_over_mean),
    )


def _peak(demand: Demand) -> float:
    """Requests a second in the busiest hour."""
    return demand.requests_per_month / _MONTH_SECONDS * demand.peak_over_mean


def _rate(work: RequestWork, host: Host, most: float, prefill: float, decode: float) -> float:
    """Requests a second that one machine carries."""
    return BUSY * requests_per_second(work, _speeds(host, prefill, decode), most)


def _machines(rate: float, each: float) -> int:
    return max(1, math.ceil(rate / each))


def _speeds(host: Host, prefill: float, decode: float) -> Speeds:
    return Speeds(host.tflops * 1e12 * prefill, host.bandwidth_gb_s * 1e9 * decode)


def _work(model: OpenModelFacts, bits: Bits, need: Need) -> RequestWork:
    """A request as the machine has it: a cached prefix is read with the cache, and not computed again."""
    sizes = model.sizes
    context = sizes.reach(need.cached_tokens + need.new_tokens + need.out_tokens / 2)
    met = need.new_tokens * sizes.reach(need.cached_tokens + need.new_tokens / 2)
    return RequestWork(
        prompt_flops=2 * sizes.computing * need.new_tokens + 2 * sizes.attention * met,
        step_flops=2 * sizes.computing + 2 * sizes.attention * context,
        cache_bytes=context * sizes.cache_per_token,
        weight_bytes=lambda batch: sizes.read_by(bits, batch),
        out_tokens=need.out_tokens,
    )


def _capacity(model: OpenModelFacts, served: Served, need: Need, most: float) -> float:
    """Requests at once: as many as the memory beside the weights holds, and no more than `most`."""
    reach = model.sizes.reach(need.new_tokens + need.out_tokens)
    each = reach * model.sizes.cache_per_token / _GIB
    spare = served.host.memory_gib * USABLE - served.memory_gib
    return min(most, need.at_once + spare // each)


def list_owned(
    hardware: Sequence[str | Device], prices: PriceCatalog, usd_per_kwh: Range
) -> list[Host]:
    """Each machine of the user's own, and all that are alike together; they cost their power alone."""
    alike: dict[str | Device, int] = {}
    for item in hardware:
        alike[item] = alike.get(item, 0) + 1
    singles = [
        _make_owned_host(item, 1, count, prices, usd_per_kwh) for item, count in alike.items()
    ]
    joined = [
        _make_owned_host(item, n, 1, prices, usd_per_kwh) for item, n in alike.items() if n > 1
    ]
    return [*singles, *joined]


def _make_owned_host(
    item: str | Device, num: int, count: int, prices: PriceCatalog, usd_per_kwh: Range
) -> Host:
    if isinstance(item, str):
        gpu = gpu_named(prices, item)
        power = product(usd_per_kwh, gpu.tdp_watts * num / 1000)
        return replace(host_of(gpu, num, power, ()), is_own=True, count=count)
    return Host(
        name=_times(item.name, num),
        memory_gib=item.memory_gib * num,
        bandwidth_gb_s=item.bandwidth_gb_s * num,
        tflops=item.tflops * num,
        usd_per_hour=product(usd_per_kwh, item.watts * num / 1000),
        is_own=True,
        count=count,
        gpus=num,
    )


def host_of(gpu: GPU, num_gpus: int, price: Range, offers: tuple[Fact, ...]) -> Host:
    """A machine of so many of a GPU at a price."""
    return Host(
        name=_times(gpu.name, num_gpus),
        memory_gib=gpu.memory_gib * num_gpus,
        bandwidth_gb_s=gpu.memory_bandwidth_gb_s * num_gpus,
        tflops=gpu.training_tflops * num_gpus,
        usd_per_hour=price,
        is_own=False,
        gpus=num_gpus,
        facts=(gpu, *offers),
    )


def _times(name: str, num: int) -> str:
    return name if num == 1 else f"{num} x {name}"


def answer_ms(model: OpenModelFacts, seat: Seat, need: Need, demand: Demand) -> Range:
    """From question to last token, of 95 in 100 requests in the busiest hour.

    Machines that are slower than expected are `most`, where there are so many."""
    at = _answers_of(model, seat.served, need, demand)
    middle = at(demand.prefill.median, demand.decode.median, seat.num)
    slow = min(seat.most, seat.served.host.count)
    return Range(
        low=min(middle, at(demand.prefill.high, demand.decode.high, seat.num)),
        median=middle,
        high=max(middle, at(demand.prefill.low, demand.decode.low, slow)),
    )


def _answers_of(
    model: OpenModelFacts, served: Served, need: Need, demand: Demand
) -> Callable[[float, float, float], float]:
    """The milliseconds of an answer by the shares of the peaks and the number of machines."""
    work = _work(model, served.bits, need)
    most = _capacity(model, served, need, demand.most_at_once)
    peak = _peak(demand)

    def at(prefill: float, decode: float, machines: float) -> float:
        speeds = _speeds(served.host, prefill, decode)
        return 1000 * answer_time(work, speeds, peak / machines, most).p95

    return at


def _is_in_time(model: OpenModelFacts, seat: Seat, need: Need, demand: Demand) -> bool:
    at = _answers_of(model, seat.served, need, demand)
    return at(demand.prefill.median, demand.decode.median, seat.num) <= demand.most_ms


def _alone_ms(model: OpenModelFacts, served: Served, need: Need, demand: Demand) -> float:
    """The time of an answer beside which there is no other: no busy hour is faster."""
    work = _work(model, served.bits, need)
    speeds = _speeds(served.host, demand.prefill.median, demand.decode.median)
    writing = work.out_tokens * step_seconds(work, speeds, 1)
    return 1000 * (prompt_seconds(work, speeds) + writing)


def month_usd(seat: Seat) -> Range:
    """A month of the machines, running all the time."""
    price, most = seat.served.host.usd_per_hour, min(seat.most, seat.served.host.count)
    return Range(
        low=price.low * HOURS_A_MONTH * seat.fewest,
        median=price.median * HOURS_A_MONTH * seat.num,
        high=price.high * HOURS_A_MONTH * most,
    )


def slow_end(seat: Seat) -> str:
    """What is said where machines that are slower than expected would have to be more."""
    there = seat.served.host.count
    if seat.most > there:
        return f"; {seat.most} are needed if they are slow, and there are {there:.0f}"
    return f"; {seat.fewest} to {seat.most} by how fast they are" if seat.fewest < seat.most else ""
