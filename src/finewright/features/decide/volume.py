"""From which volume on a machine of one's own is cheaper than an API, and the curves that show it."""

import math
from collections.abc import Iterator, Mapping, Sequence

from finewright.features.decide.arms import METHODS, Arm, Figures
from finewright.features.decide.case import Case, Point
from finewright.features.decide.results import CostCurve, MethodBreakEven
from finewright.schema.cost import Range
from finewright.schema.decide import Method

_WHOLE_FROM = 1000
_VOLUMES = tuple(float(f"{step}e{power}") for power in range(2, 7) for step in (1, 2, 5))


def break_evens(
    case: Case, figures: Mapping[Arm, Figures], arms: Sequence[Arm]
) -> Iterator[MethodBreakEven]:
    """For each method whose two hosts both passed the gates, where the lines cross.

    Machines are whole: k of them cost k M a month and carry k C requests. With what self-hosting costs more
    at first, A a month over the horizon, and c saved by a request, own costs A + k M are above the API's at
    some volume of the step k where (A + k M) / c > (k - 1) C. The break-even is the end of the last such
    volume; where a full machine costs no less than the API (M / C >= c) there is none."""
    for method in METHODS:
        at_api, at_home = Arm(method, "api"), Arm(method, "self-hosted")
        if at_api in arms and at_home in arms:
            yield _break_even(case, method, figures[at_api], figures[at_home])


def curves(figures: Mapping[Arm, Figures], arms: Sequence[Arm]) -> list[CostCurve]:
    """Cost of a month from 100 to 5 million requests, at median prices."""
    return [
        CostCurve(
            arm=arm.name,
            usd_by_requests=tuple(
                (volume, _month_usd(figures[arm], volume)) for volume in _VOLUMES
            ),
        )
        for arm in arms
    ]


def _month_usd(figures: Figures, volume: float) -> float:
    """At middle prices, with as many machines as the volume takes."""
    fixed = figures.fixed_month_usd.median
    if figures.machines is not None:
        each = figures.machines
        fixed = each.month_usd.median * max(1, math.ceil(volume / each.carries.median))
    return fixed + volume * figures.request_usd.median


def _break_even(case: Case, method: Method, api: Figures, own: Figures) -> MethodBreakEven:
    extra = max(0.0, own.once_usd.median - api.once_usd.median) / case.horizon_months
    found = _crossings(extra, api, own)
    if found is None:
        return MethodBreakEven(
            method=method, requests_per_month=None, reason=_never(extra, api, own)
        )
    if own.machines is not None and found.median > own.machines.most * own.machines.carries.median:
        why = (
            f"it would be at {found.median:,.0f} requests a month, and your machines carry"
            f" {own.machines.most * own.machines.carries.median:,.0f}"
        )
        return MethodBreakEven(method=method, requests_per_month=None, reason=why)
    first = own.machines.month_usd if own.machines else own.fixed_month_usd
    saved = 1000 * (api.request_usd.median - own.request_usd.median)
    why = (
        f"{first.median + extra:,.0f} USD a month whether it is asked or not, against {_amount(saved)} USD"
        f" saved by 1,000 requests ({api.model} against {own.model})"
    )
    return MethodBreakEven(method=method, requests_per_month=found, reason=why)


def _amount(usd: float) -> str:
    return f"{usd:,.0f}" if usd >= _WHOLE_FROM else f"{usd:.3g}"


def _crossings(extra: float, api: Figures, own: Figures) -> Range | None:
    """The break-even with all that is cheap at home, with the middle, and with all that is dear; None where
    one of them is missing."""
    theirs, mine = api.request_usd, own.request_usd
    low = _crossing(extra, *_step_of(own, "low", "high"), theirs.high - mine.low)
    median = _crossing(extra, *_step_of(own, "median", "median"), theirs.median - mine.median)
    high = _crossing(extra, *_step_of(own, "high", "low"), theirs.low - mine.high)
    if low is None or median is None or high is None:
        return None
    return Range(low=low, median=median, high=high)


def _step_of(own: Figures, price: Point, speed: Point) -> tuple[float, float]:
    """What one step of the staircase costs a month, and the requests that it carries."""
    if own.machines is None:
        return float(getattr(own.fixed_month_usd, price)), math.inf
    return float(getattr(own.machines.month_usd, price)), float(
        getattr(own.machines.carries, speed)
    )


def _crossing(extra: float, step_usd: float, carries: float, saved: float) -> float | None:
    if saved <= 0:
        return None
    if math.isinf(carries):
        return (extra + step_usd) / saved
    if step_usd >= carries * saved:
        return None
    last = max(1, math.ceil((carries + extra / saved) / (carries - step_usd / saved)) - 1)
    return min(last * carries, (extra + last * step_usd) / saved)


def _never(extra: float, api: Figures, own: Figures) -> str:
    saved = api.request_usd.median - own.request_usd.median
    usd, carries = _step_of(own, "median", "median")
    if saved > 0 and usd >= carries * saved:
        full, there = 1000 * usd / carries, 1000 * api.request_usd.median
        return (
            f"a machine that is full costs {_amount(full)} USD for 1,000 requests,"
            f" and the API {_amount(there)}"
        )
    middle = _crossing(extra, usd, carries, saved)
    if middle is None:
        return "a request costs no less at home than at the API"
    why = "where machines are dear or slow, or the API is at its cheapest, never"
    return f"at middle prices and speeds from {middle:,.0f} requests a month on; {why}"
