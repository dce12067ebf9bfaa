"""The age of facts in words, and the deadlines of November 2026."""

from datetime import date, timedelta

import pytest

from finewright.catalog.prices import api_named, read_packaged_prices
from finewright.estimate.freshness import (
    deadline_of,
    deadline_words,
    ends_within,
    freshness,
    oldest,
    words,
)

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("age", "level"),
    [(0, "fresh"), (45, "fresh"), (46, "aging"), (180, "aging"), (181, "stale"), (-3, "fresh")],
)
def test_a_fact_ages_after_45_days_and_is_stale_after_180(age: int, level: str):
    assert freshness(TODAY - timedelta(days=age), TODAY).level == level


def test_the_words_say_the_day_the_age_and_the_warning():
    assert words(freshness(TODAY, TODAY)) == "seen 2026-11-25, today"
    assert words(freshness(date(2026, 11, 24), TODAY)) == "seen 2026-11-24, 1 day ago"
    assert "over 45 days old" in words(freshness(date(2026, 9, 25), TODAY))
    assert "stale" in words(freshness(date(2026, 5, 1), TODAY))


def test_an_estimate_is_as_old_as_its_oldest_fact():
    found = oldest(read_packaged_prices().machines, TODAY)
    assert found is not None
    assert found.observed_at == min(row.observed_at for row in read_packaged_prices().machines)
    assert oldest([], TODAY) is None


def test_the_end_of_fine_tuning_at_openai_is_said_within_the_horizon():
    said = [
        deadline_words(row, TODAY)
        for row in ends_within(read_packaged_prices().deadlines, TODAY, 90)
    ]
    assert any(
        line.startswith("2027-01-06, in 42 days: OpenAI self-serve fine-tuning: no new")
        for line in said
    )
    assert any(line.startswith("2027-01-14, in 50 days: gpt-4o, gpt-4o-mini") for line in said)


def test_the_nearest_deadline_comes_first_and_none_beyond_the_horizon_or_past():
    found = ends_within(read_packaged_prices().deadlines, TODAY, 30)
    days = [row.date for row in found]
    assert days == sorted(days)
    assert all(TODAY <= day <= TODAY + timedelta(days=30) for day in days)
    assert ends_within(read_packaged_prices().deadlines, date(2030, 1, 1), 365) == []


@pytest.mark.parametrize(
    ("model", "horizon", "day"),
    [
        ("gpt-4.1-mini", 365, date(2027, 1, 14)),
        ("ft:gpt-4.1-mini", 365, date(2027, 1, 14)),
        ("gpt-4.1-mini", 30, None),
        ("gpt-6-luna", 3650, None),
    ],
)
def test_a_model_is_known_to_end_within_the_horizon(model: str, horizon: int, day: date | None):
    catalog = read_packaged_prices()
    assert deadline_of(api_named(catalog, model), catalog.deadlines, TODAY, horizon) == day


def test_a_model_that_is_off_already_is_said_whatever_the_horizon():
    catalog = read_packaged_prices()
    api = api_named(catalog, "gpt-4o")
    assert deadline_of(api, catalog.deadlines, date(2027, 2, 1), 0) == date(2027, 1, 14)


def test_days_are_counted_in_words():
    (row,) = [row for row in read_packaged_prices().deadlines if row.what.startswith("Cohere")]
    assert deadline_words(row, date(2025, 9, 15)).startswith("2025-09-15, today: Cohere")
    assert deadline_words(row, date(2025, 9, 14)).startswith("2025-09-15, tomorrow: ")
    assert deadline_words(row, date(2025, 9, 25)).startswith("2025-09-15, 10 days ago: ")
