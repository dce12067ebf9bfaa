"""What a learning curve says about more rows."""

from finewright.judge.statistics import PairedDifference
from finewright.report import cells

WORTH = 0.02
"""Two points: what is surely less than that is called flat."""


def reading(gain: PairedDifference, share: float) -> str:
    """Are more rows worth their labelling, by the paired gain from `share` of the rows to all of them?

    It looks at the last stretch alone, and at one training each: another seed moves it too."""
    said = f"from {cells.share(share)} to all of the rows {cells.points(gain)}"
    if gain.low > 0:
        return f"more rows are worth it: {said}"
    if gain.high < WORTH:
        return f"more rows like these are not worth it: {said}"
    return f"whether more rows are worth it is not settled: {said}"
