"""Each kind of figure has one form, whatever report it stands in."""

import pytest

from finewright.report import cells
from finewright.schema.common import RowCounts
from finewright.schema.cost import Range
from finewright.schema.evaluate import Score

RowShare = pytest.importorskip("finewright_advice.schema.measure_report").RowShare


def interval(value: float, low: float, high: float, metric: str = "exact_match") -> Score:
    return Score(system="s", data="d", metric=metric, value=value, low=low, high=high, n=9)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (cells.percent(interval(0.983, 0.9114, 0.9967)), "98.3 % (91-100)"),
        (cells.percent(RowShare(value=0.6, low=0.5, high=0.7, n=9)), "60.0 % (50-70)"),
        (cells.percent(interval(12.345, 10, 15.25, "perplexity")), "12.35 (10.00-15.25)"),
        (cells.percent(None, "not measured"), "not measured"),
        (cells.points(interval(0.1687, 0.0911, 0.2479)), "+16.9 points (+9.1 to +24.8)"),
        (cells.points(interval(-0.004, -0.014, 0.025)), "-0.4 points (-1.4 to +2.5)"),
        (cells.points(interval(-7.85, -10.5, -5, "perplexity")), "-7.85 (-10.50 to -5.00)"),
        (cells.points(None), ""),
        (cells.share(0.0417), "4.2 %"),
        (cells.p_value(0.00099), "< 0.001"),
        (cells.p_value(0.0123), "0.012"),
        (cells.money(Range(low=0.01, median=0.02, high=0.05)), "0.01 - 0.02 - 0.05"),
        (cells.money(Range(low=0, median=0.001, high=0.009)), "under 0.01"),
        (cells.money(None, "not known"), "not known"),
        (cells.span(Range(low=5, median=5, high=5)), "5"),
        (cells.gib(1.234), "1.23"),
        (cells.loss(1.25), "1.2500"),
        (cells.loss(None), ""),
        (cells.count(1234567), "1,234,567"),
        (cells.confidence(0.95), "95 % intervals"),
    ],
)
def test_a_figure_has_its_form(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (0.00001234, "1.2e-05"), (0.0331, "0.033"), (0.5, "0.5"), (1.26, "1.3"), (9.0, "9"),
        (9.96, "10"), (81.6, "82"), (1234.5, "1,234"), (-2.44, "-2.4"), (None, "not known"),
    ],
)  # fmt: skip
def test_a_number_has_two_digits_that_say_something_and_all_before_the_point(
    value: float | None, shown: str
) -> None:
    assert cells.number(value, "not known") == shown


def test_one_is_no_plural() -> None:
    assert [cells.count_of(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_rows_are_counted_with_what_became_of_them() -> None:
    counts = RowCounts(rows_in=9, rows_kept=6, rows_truncated=2, rows_dropped={"overlong": 3})
    assert cells.row_counts(counts) == (
        "9 rows read, 6 kept, 2 of them truncated, 3 dropped (overlong)"
    )


def test_settings_are_named_and_none_is_left_out() -> None:
    assert cells.settings({"r": 8, "learning_rate": 0.00123456, "alpha": None}) == (
        "r 8, learning_rate 0.00123456"
    )
