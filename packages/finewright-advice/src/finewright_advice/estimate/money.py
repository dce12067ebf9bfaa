"""Money from prices: a month of an API, of a machine, of storage; a run, a project, a break-even.

Every figure is a range by interval arithmetic: low from all lows, high from all highs, the median from
all medians. So low and high are bounds, wider than the spread of independent prices, and the median is
that of the prices alone. A month is a twelfth of 365 days. Taxes and traffic are not in it."""

import math
from collections.abc import Callable, Iterable
from statistics import median
from typing import Literal, NamedTuple

from finewright.schema.catalog import API, Machine
from finewright.schema.cost import Range
from finewright_advice.schema.money import BreakEven, OwnHardware, Project

DAYS_A_MONTH = 365 / 12
HOURS_A_MONTH = 24 * DAYS_A_MONTH
_MILLION = 1e6
_HALVINGS = 60
_End = Literal["low", "median", "high"]
_WATTS_A_KILOWATT = 1000.0


def exact(value: float) -> Range:
    """A figure that is known: a range without width."""
    return Range(low=value, median=value, high=value)


def total(*ranges: Range) -> Range:
    """The sum of what may lie in each range."""
    low = median = high = 0.0
    for each in ranges:
        low, median, high = low + each.low, median + each.median, high + each.high
    return Range(low=low, median=median, high=high)


def spread(ranges: Iterable[Range]) -> Range:
    """From the lowest to the highest end, about the median of the medians; 0 where there are none."""
    found = list(ranges) or [exact(0.0)]
    return Range(
        low=min(each.low for each in found),
        median=median(each.median for each in found),
        high=max(each.high for each in found),
    )


def product(one: Range, other: Range | float) -> Range:
    """The product of what may lie in each range, neither of which goes below 0."""
    by = other if isinstance(other, Range) else exact(other)
    return Range(low=one.low * by.low, median=one.median * by.median, high=one.high * by.high)


def api_request(price: API, tokens_in: float, tokens_out: float, cached_in: float = 0.0) -> Range:
    """One request of `tokens_in`, of which `cached_in` are read from the provider's cache.

    A prompt over the model's long-context limit is billed at those prices as a whole. Without a price
    for cached tokens they cost as much as others; writing to the cache is not counted."""
    long = price.long_context
    tariff = long if long is not None and tokens_in > long.above_tokens else price
    cached = tariff.usd_per_million_cached or tariff.usd_per_million_in
    return total(
        product(tariff.usd_per_million_in, (tokens_in - cached_in) / _MILLION),
        product(cached, cached_in / _MILLION),
        product(tariff.usd_per_million_out, tokens_out / _MILLION),
    )


def training_run(machine: Machine, hours: Range | float) -> Range:
    """A run of so many hours on the machine, all of its GPUs paid."""
    return product(machine.usd_per_hour, hours)


def whole_terms(machine: Machine, usd: Range) -> Range:
    """What is paid where so much of a reserved machine is used: its whole terms, one at least."""
    price, months = machine.usd_per_hour, machine.term_months or 0
    term = product(price, months * HOURS_A_MONTH)
    pairs = ((usd.low, term.low), (usd.median, term.median), (usd.high, term.high))
    low, median, high = (one * max(1, math.ceil(used / one)) for used, one in pairs)
    return Range(low=low, median=median, high=high)


def own_hardware_run(hardware: OwnHardware, hours: Range | float) -> Range:
    """A run on a machine that was bought: the hours' share of its price, and their power.

    An hour's share is that of a machine which always works; one that mostly waits costs more a run."""
    share = hardware.usd_purchase / hardware.amortisation_months / HOURS_A_MONTH
    power = hardware.watts / _WATTS_A_KILOWATT * hardware.pue * hardware.usd_per_kwh
    return product(exact(share + power), hours)


def project(
    run_cost: Range,
    bake_off: int = 1,
    seeds: int = 1,
    failed_share: float = 0.0,
    evaluations: float = 0.0,
) -> Project:
    """What all runs of a project cost, which is not what a run costs.

    `bake_off` candidates (base models x methods) with `seeds` each; `failed_share` of a run is lost to
    failures for every run that counts; `evaluations` is the machine time of all evaluations in runs."""
    runs = float(bake_off * seeds)
    failed = failed_share * runs
    return Project(
        runs=runs,
        failed_runs=failed,
        evaluation_runs=evaluations,
        cost=product(run_cost, runs + failed + evaluations),
    )


class MachineSteps(NamedTuple):
    """What one machine costs a month, and the requests a month that it carries; more of them take another."""

    month_usd: Range
    carries: Range


class ScaleToZero(NamedTuple):
    """One machine that is paid while it works, waits and starts: a request keeps it up for `up_seconds`.

    It is up for the share 1 - exp(-l D) of the time where requests come at the rate l, D being these
    seconds, and exp(-l D) of the requests start it (`decide/scale_to_zero.py`)."""

    usd_per_hour: Range
    up_seconds: float
    start_seconds: Range
    carries: Range

    def hours(self, requests: float) -> Range:
        """Hours that it is paid for in a month of so many requests."""
        cold = math.exp(-requests / (3600 * HOURS_A_MONTH) * self.up_seconds)
        starts = product(self.start_seconds, requests * cold / 3600)
        low, median, high = (
            min(HOURS_A_MONTH, HOURS_A_MONTH * (1 - cold) + hours)
            for hours in (starts.low, starts.median, starts.high)
        )
        return Range(low=low, median=median, high=high)

    def month_usd(self, requests: float) -> Range:
        """What such a month costs."""
        return product(self.usd_per_hour, self.hours(requests))


def break_even_requests(
    fixed_month: Range,
    api_per_request: Range,
    self_per_request: Range,
    machines: MachineSteps | None = None,
    idle: ScaleToZero | None = None,
) -> BreakEven:
    """The requests a month from which a fixed cost pays off against an API: V* = F / (c_api - c_self).

    F is the month's hosting and amortisation. Never (None) where a request costs no less at home.

    With `machines`, which are whole, k of them cost k M beside F and carry k C requests. At home it is
    dearer at some volume of the step k where (F + k M) / (c_api - c_self) > (k - 1) C. V* is the end of the
    last such volume; None where a full machine costs no less than the API. Without, that the machine can
    serve so many requests is not checked. With `idle` beside them the cheaper is taken at each volume."""
    steps = machines or MachineSteps(exact(0.0), exact(math.inf))
    month, carries = steps
    found = BreakEven(
        low=_crossing(
            fixed_month.low, month.low, carries.high, api_per_request.high - self_per_request.low
        ),
        median=_crossing(
            fixed_month.median,
            month.median,
            carries.median,
            api_per_request.median - self_per_request.median,
        ),
        high=_crossing(
            fixed_month.high, month.high, carries.low, api_per_request.low - self_per_request.high
        ),
    )
    if idle is None:
        return found
    return _beside_idle(found, idle, fixed_month, api_per_request, steps)


def _beside_idle(
    found: BreakEven, idle: ScaleToZero, fixed: Range, api: Range, steps: MachineSteps
) -> BreakEven:
    """The ends of the last volumes at which both are dearer than the API."""

    def at(last: float | None, dear: _End, cheap: _End) -> float | None:
        if last is None or last > getattr(idle.carries, cheap):
            return last
        first, price = getattr(fixed, dear), getattr(api, cheap)
        whole, carries = getattr(steps.month_usd, dear), getattr(steps.carries, cheap)
        return _with_idle(
            last,
            lambda volume: first + getattr(idle.month_usd(volume), dear) - price * volume,
            lambda num: (first + num * whole) / price,
            carries,
        )

    return BreakEven(
        low=at(found.low, "low", "high"),
        median=at(found.median, "median", "median"),
        high=at(found.high, "high", "low"),
    )


def _with_idle(
    last: float, dearer: Callable[[float], float], paid: Callable[[int], float], carries: float
) -> float:
    """The end of the last volume up to `last` at which a machine that scales to zero is dearer by `dearer`,
    and k whole ones, which pay off from `paid(k)` on, are too."""
    low, high = 0.0, last
    if dearer(last) >= 0:
        return last
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if dearer(middle) > 0 else (low, middle)
    num = max(1, math.ceil(high / carries))
    ends = (
        min(high, k * carries, paid(k)) for k in range(num, 0, -1) if paid(k) > (k - 1) * carries
    )
    return next(ends, 0.0)


def _crossing(fixed: float, step: float, carries: float, saved_per_request: float) -> float | None:
    if saved_per_request <= 0 or step >= carries * saved_per_request:
        return None
    if math.isinf(carries):
        return (fixed + step) / saved_per_request
    first = carries + fixed / saved_per_request
    last = max(1, math.ceil(first / (carries - step / saved_per_request)) - 1)
    return min(last * carries, (fixed + last * step) / saved_per_request)
