"""Limits that nobody stated: wide enough for the cheapest of the able ways, so that money still counts.

By a limit that all exceed, 70,000 dollars a month would be worth as little as 2.8 million, and the dearest
model would win by a hundredth of quality."""

from collections.abc import Mapping, Sequence

from finewright_advice.catalog.advice import Advice
from finewright_advice.decide.arms import Arm
from finewright_advice.decide.choice import ModelTrial
from finewright_advice.decide.spec import UNKNOWN, DecideSpec
from finewright_advice.estimate.money import product

_TIMES = 3.0
"""How many times the cheapest a budget is taken to be at least: its own utility is two thirds."""
_MOST_USD = 1e9
"""What a spec may state at most."""
_NEAR = 0.8
"""Of the best quality: what is less able is cheap for another reason."""


def with_room(
    advice: Advice, spec: DecideSpec, tried: Mapping[Arm, Sequence[ModelTrial]]
) -> Advice:
    """The advice, whose ranges for unstated budgets are raised where their middle is below three times what
    the cheapest of the able asks; the same where none is."""
    rows = [row for each in tried.values() for row in each if not row.dropped]
    if not rows:
        return advice
    best = max(row.quality for row in rows)
    able = (row for row in rows if row.quality >= _NEAR * best)
    cheapest = min(able, key=lambda row: row.figures.month_usd.median).figures
    wider = advice.widened.model_copy()
    for key, name, least in (
        ("month_budget_usd", "month_limit_usd", cheapest.month_usd.median),
        ("once_budget_usd", "once_limit_usd", cheapest.once_usd.median),
    ):
        usual = getattr(wider, name)
        times = min(_TIMES * least / usual.median, _MOST_USD / usual.high)
        if getattr(spec, key) == UNKNOWN and times > 1:
            wider = wider.model_copy(update={name: product(usual, times)})
    return advice if wider == advice.widened else advice.model_copy(update={"widened": wider})
