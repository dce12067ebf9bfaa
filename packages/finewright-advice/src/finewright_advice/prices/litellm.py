"""API prices and end dates from litellm's price map (JSON), read as a file: the package is never used.

The map names no day, so that comes from whoever imports. Rows of providers that the catalog does not
know, of other kinds than chat, and of no price are left out and counted. Read for the map of litellm
1.110.2 (4,878 rows)."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finewright.catalog.price_file import ImportedPrices, PriceOrigin
from finewright.errors import DataError
from finewright.schema.catalog import API, PriceCatalog

_PROVIDERS = {"gemini": "google", "cohere_chat": "cohere"}
"""Names of the map -> ours, where they differ."""
_MODES = {"chat", "responses"}
_RATES = {
    "usd_per_million_in": "input_cost_per_token",
    "usd_per_million_out": "output_cost_per_token",
    "usd_per_million_cached": "cache_read_input_token_cost",
}
_STEP = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
_LARGEST_BYTES = 50_000_000

Json = Mapping[str, Any]  # Any: free JSON


@dataclass(slots=True)
class _Map:
    path: Path
    origin: PriceOrigin
    old: Mapping[tuple[str, ...], API]
    left_out: Counter[str] = field(default_factory=Counter)

    def api(self, name: str, provider: str, row: Json) -> API | None:
        """The row as ours; None and noted where it has no price. What it does not know is kept."""
        rates = self.rates(name, row, "")
        if not rates.get("usd_per_million_in") or "usd_per_million_out" not in rates:
            self.left_out["no price a token, or one of 0"] += 1
            return None
        steps = [int(found[1]) * 1000 for key in row if (found := _STEP.fullmatch(key))]
        if len(steps) > 1:
            self.left_out["a price of more than two steps"] += 1
            return None
        long = None
        if steps:
            above = self.rates(name, row, f"_above_{steps[0] // 1000}k_tokens")
            long = {"above_tokens": steps[0], **rates, **above}
        old = self.old.get((provider, name))
        try:
            return API(
                provider=provider,
                model=name,
                **rates,
                long_context=long,
                context_tokens=row.get("max_input_tokens"),
                can_fine_tune=old.can_fine_tune if old else None,
                deprecation_date=row.get("deprecation_date"),
                source="; ".join(filter(None, (row.get("source"), self.origin.source))),
                observed_at=self.origin.observed_at,
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            what = first["msg"].removeprefix("Value error, ")
            raise DataError(f"{self.path}: {name}: {key}: {what}") from None

    def rates(self, name: str, row: Json, step: str) -> dict[str, float]:
        """Dollars a million tokens, as far as the row has them."""
        found = {}
        for ours, theirs in _RATES.items():
            rate = row.get(f"{theirs}{step}")
            if rate is None:
                continue
            if not isinstance(rate, int | float) or isinstance(rate, bool):
                raise DataError(f"{self.path}: {name}: {theirs}{step}: must be a number")
            found[ours] = round(rate * 1e6, 9)
        return found


class PriceMap:
    """A `finewright.catalog.price_file.PriceFile`: litellm's model_prices_and_context_window.json."""

    form = "litellm's JSON"

    def recognises(self, path: Path) -> bool:
        """Whether a file's name is that of JSON: the map has no other mark."""
        return path.suffix.lower() == ".json"

    def check(self, path: Path) -> None:
        """Raise DataError where the file is no price map."""
        next(_read_prices(path), None)

    def provider_of(self, path: Path) -> str:
        """Of no provider alone: the rows name theirs."""
        return ""

    def files_in(self, folder: Path) -> Sequence[Path]:
        """None: the map is one file."""
        return ()

    def read(self, path: Path, origin: PriceOrigin, known: PriceCatalog) -> ImportedPrices:
        """The chat models whose providers the catalog knows, or of `origin.provider` alone."""
        table = _Map(path, origin, {api.key(): api for api in known.apis})
        names = {row.name for row in known.providers}
        wanted = {origin.provider} if origin.provider else names
        apis: dict[tuple[str, ...], API] = {}
        for name, row in _read_prices(path):
            theirs = str(row.get("litellm_provider"))
            provider = _PROVIDERS.get(theirs, theirs)
            if row.get("mode") not in _MODES:
                table.left_out["no chat model"] += 1
            elif provider not in wanted:
                table.left_out["another provider"] += 1
            elif api := table.api(name.removeprefix(f"{theirs}/"), provider, row):
                apis.setdefault(api.key(), api)
        return ImportedPrices((), tuple(apis.values()), dict(table.left_out))


LITELLM = PriceMap()


def _read_prices(path: Path) -> Iterator[tuple[str, Json]]:
    hint = "give litellm's model_prices_and_context_window.json"
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None
    if len(content) > _LARGEST_BYTES:
        raise DataError(f"{path}: over 50 MB is no price map", hint=hint)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise DataError(f"{path}: is not JSON", hint=hint) from None
    if not isinstance(data, dict) or not all(isinstance(row, dict) for row in data.values()):
        raise DataError(f"{path}: must be models with their prices", hint=hint)
    yield from data.items()
