"""From which volume on a machine of one's own is cheaper than an API, and the curves that show it."""

from collections.abc import Iterator, Mapping, Sequence

from finewright.estimate.money import break_even_requests, exact, total
from finewright.features.decide.arms import METHODS, Arm, Figures
from finewright.features.decide.case import Case
from finewright.features.decide.results import CostCurve, MethodBreakEven
from finewright.schema.cost import Range
from finewright.schema.decide import Method

_WHOLE_FROM = 1000
_VOLUMES = tuple(float(f"{step}e{power}") for power in range(2, 7) for step in (1, 2, 5))


def break_evens(
    case: Case, figures: Mapping[Arm, Figures], arms: Sequence[Arm]
) -> Iterator[MethodBreakEven]:
    """For each method whose two hosts both passed the gates, where the lines cross.

    V = (fixed costs a month + what self-hosting costs more at first / months of the horizon) / (price of
    a request at the API less the own). The machine is the one of this case; far above its volume more
    of them are needed."""
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
                (
                    volume,
                    figures[arm].fixed_month_usd.median + volume * figures[arm].request_usd.median,
                )
                for volume in _VOLUMES
            ),
        )
        for arm in arms
    ]


def _break_even(case: Case, method: Method, api: Figures, own: Figures) -> MethodBreakEven:
    extra = max(0.0, own.once_usd.median - api.once_usd.median) / case.horizon_months
    fixed = total(own.fixed_month_usd, exact(extra))
    found = break_even_requests(fixed, api.request_usd, own.request_usd)
    if found.low is None or found.median is None or found.high is None:
        why = "a request costs no less at home than at the cheapest price of the API"
        if found.median is not None:
            why = f"at middle prices from {found.median:,.0f} requests a month, but {why}"
        return MethodBreakEven(method=method, requests_per_month=None, reason=why)
    volume = Range(low=found.low, median=found.median, high=found.high)
    saved = 1000 * (api.request_usd.median - own.request_usd.median)
    amount = f"{saved:,.0f}" if saved >= _WHOLE_FROM else f"{saved:.3g}"
    why = (
        f"{fixed.median:,.0f} USD a month whether it is asked or not, against {amount} USD saved by 1,000"
        f" requests ({api.model} against {own.model})"
    )
    return MethodBreakEven(method=method, requests_per_month=volume, reason=why)
