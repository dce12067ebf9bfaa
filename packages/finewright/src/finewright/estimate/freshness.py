"""How old the facts are that an estimate stands on, and what ends within its horizon.

Today is always passed in: the same input gives the same words on any day."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from finewright.schema.catalog import API, Deadline, Fact, Freshness

AGING_AFTER_DAYS = 45
STALE_AFTER_DAYS = 180

AGED = {"stale": "stale, over 180 days old", "aging": "over 45 days old"}
"""What is said of facts of such an age."""
RENEWAL = "machines: look prices up, then finewright catalog import FILE; APIs: finewright catalog refresh"
"""How facts become new again: nothing here fetches, and what is refreshed are the APIs alone."""


def freshness(observed_at: date, today: date) -> Freshness:
    """Fresh up to 45 days, aging up to 180, then stale; a day ahead of today counts as today."""
    age = max(0, (today - observed_at).days)
    level: Literal["fresh", "aging", "stale"] = "fresh"
    if age > AGING_AFTER_DAYS:
        level = "stale" if age > STALE_AFTER_DAYS else "aging"
    return Freshness(level=level, age_days=age, observed_at=observed_at)


def oldest(facts: Iterable[Fact], today: date) -> Freshness | None:
    """The freshness of the oldest of the facts: an estimate is as old as that; None without facts."""
    days = [fact.observed_at for fact in facts]
    return freshness(min(days), today) if days else None


def words(found: Freshness) -> str:
    """`seen 2026-10-14, 42 days ago`, with the warning that its age asks for."""
    days = "1 day" if found.age_days == 1 else f"{found.age_days} days"
    ago = f"{days} ago" if found.age_days else "today"
    warning = {
        "fresh": "",
        "aging": "; over 45 days old, look whether it still holds",
        "stale": "; stale: over 180 days old, do not plan with it",
    }
    return f"seen {found.observed_at}, {ago}{warning[found.level]}"


def ends_within(deadlines: Iterable[Deadline], today: date, horizon_days: int) -> list[Deadline]:
    """What ends or begins from today on until the horizon, the nearest first; the past is not in it."""
    last = today + timedelta(days=horizon_days)
    found = [deadline for deadline in deadlines if today <= deadline.date <= last]
    return sorted(found, key=lambda deadline: (deadline.date, deadline.what))


def deadline_of(
    api: API, deadlines: Iterable[Deadline], today: date, horizon_days: int
) -> date | None:
    """The day on which the model is switched off, where that is past or within the horizon.

    Known from its own row, or from a deadline that names it."""
    days = [
        deadline.date
        for deadline in deadlines
        if deadline.provider == api.provider and api.model in deadline.models
    ]
    days += [api.deprecation_date] if api.deprecation_date else []
    due = [day for day in days if day <= today + timedelta(days=horizon_days)]
    return min(due, default=None)


def deadline_words(deadline: Deadline, today: date) -> str:
    """`2027-01-06, in 42 days: OpenAI self-serve fine-tuning: no new job (instead: ...)`."""
    days = (deadline.date - today).days
    when = f"in {days} days" if days > 1 else "tomorrow" if days == 1 else "today"
    if days < 0:
        when = f"{-days} days ago"
    instead = f" (instead: {deadline.instead})" if deadline.instead else ""
    return f"{deadline.date}, {when}: {deadline.what}: {deadline.effect}{instead}"
