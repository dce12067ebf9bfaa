"""What the last stretch of a learning curve says."""

import pytest

from finewright.judge.statistics import PairedDifference
from finewright_advice.measure.experiment import reading


@pytest.mark.parametrize(
    ("low", "value", "high", "said"),
    [
        (
            0.02,
            0.08,
            0.14,
            "more rows are worth it: from 50.0 % to all of the rows +8.0 points (+2.0 to +14.0)",
        ),
        (-0.03, -0.01, 0.01, "more rows like these are not worth it: from 50.0 % to all"),
        (-0.02, 0.04, 0.10, "whether more rows are worth it is not settled: from 50.0 % to all"),
    ],
)
def test_the_interval_of_the_gain_decides(low: float, value: float, high: float, said: str) -> None:
    assert reading(PairedDifference(value, low, high, 0.5, 100), 0.5).startswith(said)
