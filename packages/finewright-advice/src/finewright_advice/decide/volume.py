"""From which volume on a machine of one's own is cheaper than an API, and the curves that show it."""

import math
from collections.abc import Iterator, Mapping, Sequence

from finewright.schema.cost import Range
from finewright_advice.decide.arms import METHODS, NOTHING, Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.decide.results import CostCurve, MethodBreakEven
from finewright_advice.estimate.money import break_even_requests, exact, total
from finewright_advice.schema.money import Method

_WHOLE_FROM = 1000
_VOLUMES = tuple(float(f"{step}e{power}") for power in range(2, 7) for step in (1, 2, 5))


def break_evens(
    case: Case, figures: Mapping[Arm, Figures], arms: Sequence[Arm]
) -> Iterator[MethodBreakEven]:
    """For each method whose two hosts both passed the gates, where the lines cross.

    The fixed cost is what self-hosting costs more at first, over the months of the horizon, beside the
    machines, which are whole."""
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
    """At middle prices, with as many machines as the volume takes, or one that scales to zero if cheaper."""
    if figures.machines is None:
        return figures.fixed_month_usd.median + volume * figures.request_usd.median
    month, carries = figures.machines.steps
    whole, idle = month.median * max(1, math.ceil(volume / carries.median)), figures.idle
    if idle is None or volume > idle.carries.median:
        return whole
    return min(whole, idle.month_usd(volume).median)


def _break_even(case: Case, method: Method, api: Figures, own: Figures) -> MethodBreakEven:
    extra = max(0.0, own.once_usd.median - api.once_usd.median) / case.horizon_months
    machines = own.machines
    fixed = exact(extra) if machines else total(own.fixed_month_usd, exact(extra))
    steps = machines.steps if machines else None
    each = NOTHING if machines else own.request_usd
    found = break_even_requests(fixed, api.request_usd, each, steps, own.idle)
    volume = None
    if found.low is None or found.median is None or found.high is None:
        why = _never(found.median, api, own)
    elif machines and found.median > (carried := machines.most * machines.steps.carries.median):
        why = (
            f"never: it would be at {found.median:,.0f} requests a month, and your machines carry"
            f" {carried:,.0f}"
        )
    else:
        low, median, high = (_whole(each) for each in (found.low, found.median, found.high))
        volume = Range(low=low, median=median, high=high)
        saved = 1000 * (api.request_usd.median - each.median)
        why = _describe_saving(
            fixed.median + (steps.month_usd.median if steps else 0.0), saved, api, own
        )
    return MethodBreakEven(method=method, requests_per_month=volume, reason=why)


def _describe_saving(fixed: float, saved: float, api: Figures, own: Figures) -> str:
    wanted = (
        "or less, as one that scales to zero costs" if own.idle else "whether it is asked or not"
    )
    return (
        f"{fixed:,.0f} USD a month {wanted}, against {_amount(saved)} USD saved by"
        f" 1,000 requests ({api.model} against {own.model})"
    )


def _whole(requests: float) -> float:
    """A volume below one request a month is none: it pays off from the first on."""
    return requests if requests >= 1 else 0.0


def _amount(usd: float) -> str:
    return f"{usd:,.0f}" if usd >= _WHOLE_FROM else f"{usd:.3g}"


def _never(middle: float | None, api: Figures, own: Figures) -> str:
    """Why there is none, though there may be one at `middle` prices."""
    if middle is not None:
        why = "where machines are dear or slow, or the API is at its cheapest, never"
        return f"from {middle:,.0f} requests a month on at middle prices and speeds; {why}"
    if own.machines and api.request_usd.median > 0:
        month, carries = own.machines.steps
        full, there = 1000 * month.median / carries.median, 1000 * api.request_usd.median
        return (
            f"never: a machine that is full costs {_amount(full)} USD for 1,000 requests,"
            f" and the API {_amount(there)}"
        )
    return "never: a request costs no less at home than at the API"
