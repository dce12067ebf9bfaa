"""A machine that runs only while it is asked: paid by the second, at a higher price, and slow to start.

Requests come as a Poisson process of rate l. A worker that works S seconds on one and waits T more is up as
the server of an M/D/infinity queue with service D = S + T: it is up for the share 1 - exp(-l D) of the time,
and starts l exp(-l D) times a second (Takacs 1962, Introduction to the Theory of Queues, chapter 3); a share
of exp(-l D) of the requests waits for a start. Starting is paid too. Traffic that comes in crowds leaves it
off for longer, so that the money is the most of what to expect."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright.schema.catalog import PriceCatalog
from finewright.schema.cost import Range
from finewright_advice.decide.arms import NOTHING
from finewright_advice.decide.models import OpenModelFacts
from finewright_advice.decide.request import list_offers
from finewright_advice.decide.serving import (
    Demand,
    Host,
    Need,
    Seat,
    answer_ms,
    counts_of,
    seat_on,
)
from finewright_advice.estimate.money import HOURS_A_MONTH, ScaleToZero, product, total

_MONTH_SECONDS = HOURS_A_MONTH * 3600
_TRIED = 2
"""A dearer GPU answers sooner, and is seldom paid back by it."""
_FELT = 0.05
"""The share of requests from which on a wait is in the time of 95 in 100."""


class IdleMachine(NamedTuple):
    """A model on a worker that scales to zero: its month, its answers, and how often a request waits."""

    seat: Seat
    month_usd: Range
    latency_ms: Range
    cold_share: float
    start_seconds: Range
    hours: float
    by_second: ScaleToZero

    @property
    def words(self) -> str:
        """Where, for how many hours a month, and who waits."""
        host, price = self.seat.served.host, self.seat.served.host.usd_per_hour
        return (
            f"{host.name} that scales to zero{host.landlords}, {price.median:.2f} USD an hour while it works:"
            f" {self.hours:,.1f} hours a month, {self.month_usd.median:,.0f} USD, and"
            f" {self.cold_share:.0%} of the requests wait {self.start_seconds.median:,.0f} s for a start"
        )


class Seating(NamedTuple):
    """Where a model is served, why not at hand, the worker that could stand in, and an answer's time."""

    seat: Seat | None
    misfit: str
    idle: IdleMachine | None
    answer_ms: Range


def workers(prices: PriceCatalog) -> list[Host]:
    """A worker for each kind of GPU, with bfloat16, that somebody sells by the second."""
    return list_offers(prices, lambda each: each.tier == "serverless" and each.num_gpus == 1)


def seat_on_serverless(
    model: OpenModelFacts,
    need: Need,
    hosts: Sequence[Host],
    demand: Demand,
    taken: Mapping[str, Range],
    rival: Seat,
) -> IdleMachine | None:
    """The cheapest worker that holds the model and alone carries the busiest hour; None where none does, or
    where waiting for the next request costs as much as the rival that runs all month."""
    rate = demand.requests_per_month / _MONTH_SECONDS
    least = 1 - math.exp(-rate * taken["idle_seconds"].median)
    may = [host for host in hosts if least * host.usd_per_hour.median < rival.usd_per_hour]
    alone = [
        served
        for served, num in counts_of(model, need, may, demand, [rival.served.bits])
        if num == 1
    ]
    cheapest = sorted(alone, key=lambda served: served.host.usd_per_hour.median)[:_TRIED]
    seats = [seat_on(model, served, need, demand) for served in cheapest]
    found = [_idle(model, seat, need, demand, taken) for seat in seats]
    return min(found, key=lambda idle: idle.month_usd.median, default=None)


def _idle(
    model: OpenModelFacts, seat: Seat, need: Need, demand: Demand, taken: Mapping[str, Range]
) -> IdleMachine:
    answer = answer_ms(model, seat, need, demand)
    loading = product(taken["cold_start_seconds_a_gib"], seat.served.memory_gib)
    start = total(taken["cold_start_seconds"], loading)
    up = answer.median / 1000 + taken["idle_seconds"].median
    cold = math.exp(-demand.requests_per_month / _MONTH_SECONDS * up)
    by_second = ScaleToZero(seat.served.host.usd_per_hour, up, start, seat.carries)
    month = by_second.month_usd(demand.requests_per_month)
    middle = by_second.hours(demand.requests_per_month).median
    waits = start.model_copy(update={"low": 0.0}) if cold > _FELT else NOTHING
    latency = total(answer, product(waits, 1000))
    return IdleMachine(seat, month, latency, cold, start, middle, by_second)
