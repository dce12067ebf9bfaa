"""API prices from the data that the package genai-prices carries (MIT; no network).

Written for genai-prices 0.2.3. A wheel is as old as its data: a price is dated by the latest day that
the package itself names for the model or else for its provider; one without a day is left out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from finewright.catalog.price_file import RefreshedPrices
from finewright.schema.catalog import API, LongContext, PriceCatalog
from finewright.schema.cost import Range

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_RATES = {
    "usd_per_million_in": "input_mtok",
    "usd_per_million_out": "output_mtok",
    "usd_per_million_cached": "cache_read_mtok",
}


@dataclass(frozen=True, slots=True)
class _Steps:
    """The prices up to a length of prompt, and above it."""

    base: dict[str, Range]
    above: dict[str, Range]
    starts: frozenset[int]


def refresh_prices(catalog: PriceCatalog, today: date, also: Sequence[str] = ()) -> RefreshedPrices:
    """The catalog's APIs, and `also` (provider/model), as genai-prices has them on that day.

    Models are matched by their exact id: an alias may stand for another model there."""
    models = _models()
    source = f"genai-prices {version('genai-prices')}"
    old = {(api.provider, api.model): api for api in catalog.apis}
    wanted = [*old, *((provider, model) for provider, _, model in map(_split_name, also))]
    apis: list[API] = []
    left_alone: dict[str, str] = {}
    for key in dict.fromkeys(wanted):
        found = _find_price(key, models.get(key), today, source)
        why = found if isinstance(found, str) else _same(old.get(key), found)
        if why:
            left_alone["/".join(key)] = why
        elif isinstance(found, API):
            apis.append(_with_old(found, old.get(key)))
    return RefreshedPrices(source, tuple(apis), left_alone)


def _split_name(name: str) -> tuple[str, str, str]:
    return name.partition("/")


def _models() -> dict[tuple[str, str], tuple[Any, Any]]:
    # Any: the package's own types, imported late
    from genai_prices.data import providers

    return {
        (provider.id, model.id): (provider, model)
        for provider in providers
        for model in provider.models
    }


def _find_price(
    key: tuple[str, str], found: tuple[Any, Any] | None, today: date, source: str
) -> API | str:
    """The model's row, or why there is none."""
    if found is None:
        return "not in genai-prices under this name"
    provider, model = found
    days = _days_until(today, model.price_comments, _starts(model))
    days = days or _days_until(today, provider.price_comments)
    if not days:
        return "genai-prices does not say when it saw the price"
    prices = model.get_prices(datetime.combine(today, time(12), tzinfo=UTC))
    steps = _steps(prices)
    if not {"usd_per_million_in", "usd_per_million_out"} <= steps.base.keys():
        return "has no price a token"
    if len(steps.starts) > 1:
        return "its price has more than two steps"
    long = LongContext(above_tokens=min(steps.starts), **steps.above) if steps.starts else None
    return API(
        provider=key[0],
        model=key[1],
        context_tokens=model.context_window,
        long_context=long,
        source=source,
        observed_at=max(days),
        **steps.base,
    )


def _days_until(today: date, comment: str | None, starts: Iterable[date] = ()) -> list[date]:
    days = [*starts]
    for text in _DAY.findall(comment or ""):
        with suppress(ValueError):  # eight digits that are no day
            days.append(date.fromisoformat(text))
    return [day for day in days if day <= today]


def _starts(model: Any) -> Iterator[date]:
    from genai_prices.types import StartDateConstraint

    for price in model.prices if isinstance(model.prices, list) else ():
        if isinstance(price.constraint, StartDateConstraint):
            yield price.constraint.start_date


def _steps(prices: Any) -> _Steps:
    base: dict[str, Range] = {}
    above: dict[str, Range] = {}
    starts: set[int] = set()
    for ours, theirs in _RATES.items():
        rate = getattr(prices, theirs)
        if rate is None:
            continue
        tiers = [] if isinstance(rate, Decimal) else rate.tiers
        base[ours] = _range(rate if isinstance(rate, Decimal) else rate.base)
        above[ours] = _range(tiers[-1].price) if tiers else base[ours]
        starts.update(tier.start for tier in tiers)
    return _Steps(base, above, frozenset(starts))


def _range(price: Decimal) -> Range:
    value = float(price)
    return Range(low=value, median=value, high=value)


def _same(old: API | None, new: API) -> str:
    """Why the catalog's row stays: it is newer, or says the same."""
    if old is None:
        return ""
    if old.observed_at > new.observed_at:
        return f"the catalog's is newer ({old.observed_at})"
    fields = (*_RATES, "long_context")
    unchanged = all(getattr(old, name) == getattr(new, name) for name in fields)
    return "unchanged" if unchanged and old.observed_at == new.observed_at else ""


def _with_old(new: API, old: API | None) -> API:
    """What genai-prices does not know, from the row that was there."""
    if old is None:
        return new
    kept = {name: getattr(old, name) for name in ("can_fine_tune", "deprecation_date", "note")}
    return new.model_copy(update=kept)
