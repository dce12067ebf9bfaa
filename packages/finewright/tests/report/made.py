"""Scores and differences for the reports of these tests."""

from finewright.schema.evaluate import Difference, Score


def score(
    system: str, value: float, metric: str = "json_f1", *, low: float, high: float, n: int = 12
) -> Score:
    """Of the set "rows"."""
    return Score(system=system, data="rows", metric=metric, value=value, low=low, high=high, n=n)


def difference(
    system: str, against: str, value: float, *, room: float, metric: str = "json_f1"
) -> Difference:
    """With an interval that reaches `room` to both sides."""
    pair = {"system": system, "against": against, "data": "rows", "metric": metric}
    ends = {"low": value - room, "high": value + room}
    return Difference(**pair, value=value, **ends, p_value=0.2, n=12)
