"""Bars count all their rows and name the first of them."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from finewright.data.quality.figures import MOST_NAMED, bar, bars, histogram, summary

from .rows import row, rows


def test_a_bar_names_the_first_rows_and_counts_all() -> None:
    found = bar("x", rows(*["a"] * (MOST_NAMED + 10)))
    assert (found.count, len(found.rows), found.rows[0].row) == (MOST_NAMED + 10, MOST_NAMED, 1)


def test_what_does_not_fit_becomes_one_bar() -> None:
    groups = {name: rows(*["a"] * n) for name, n in (("x", 1), ("y", 3), ("z", 2), ("w", 1))}
    assert [(b.label, b.count) for b in bars(groups, most=2)] == [
        ("y", 3),
        ("z", 2),
        ("2 others", 2),
    ]


def test_a_histogram_has_its_edges_at_1_2_5() -> None:
    values = [0, 1, 2, 4, 5, 9, 10, 19, 20, 1000]
    found = histogram((row("", number=i), value) for i, value in enumerate(values))
    counts = {b.label: b.count for b in found}
    assert counts == {
        "0": 1, "1": 1, "2-4": 2, "5-9": 2, "10-19": 2, "20-49": 1, "50-99": 0, "100-199": 0,
        "200-499": 0, "500-999": 0, "1,000-1,999": 1,
    }  # fmt: skip
    assert next(iter(counts)) == "0"


@given(st.lists(st.integers(0, 10**7), min_size=1))
def test_a_histogram_counts_each_row_once(values: list[int]) -> None:
    found = histogram((row("", number=i), value) for i, value in enumerate(values))
    assert sum(b.count for b in found) == len(values)
    for b in found:
        first, _, last = b.label.replace(",", "").partition("-")
        inside = [v for v in values if int(first) <= v <= int(last or first)]
        assert len(inside) == b.count


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_a_summary_is_that_of_the_statistics_module(values: list[int]) -> None:
    found = summary(values)
    assert found["mean"] == statistics.fmean(values)
    assert found["median"] == statistics.median_low(values)
    assert found["largest"] == max(values)


def test_nothing_has_no_summary() -> None:
    assert (summary([]), histogram([])) == ({}, ())
