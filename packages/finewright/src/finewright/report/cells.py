"""Numbers as words and cells, in one way for every report: one number of digits for each kind of figure."""

import math
from collections.abc import Mapping
from typing import Protocol, TypeVar

from finewright.schema.common import RowCounts
from finewright.schema.cost import Range
from finewright.schema.evaluate import LOSS_METRICS

Name = TypeVar("Name", bound=str)
_CENT = 0.01
_LEAST_P = 0.001
_DIGITS = 2
_LEAST_DECIMAL = 1e-4
_MOST_DECIMALS = 9


class HasInterval(Protocol):
    """A value with its ends."""

    @property
    def value(self) -> float:
        """What was measured."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


class CountOfTotal(Protocol):
    """So many of so many, with the ends of the share."""

    @property
    def count(self) -> int:
        """Of these."""

    @property
    def n(self) -> int:
        """Of so many."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def share(value: float) -> str:
    """`98.3 %`, of a share without an interval."""
    return f"{100 * value:.1f} %"


def percent(found: HasInterval | None, missing: str = "") -> str:
    """`98.3 % (91-100)`; a perplexity as it is, `12.35 (10.00-15.25)`."""
    if found is None:
        return missing
    if _is_loss(found):
        return f"{found.value:.2f} ({found.low:.2f}-{found.high:.2f})"
    return f"{share(found.value)} ({100 * found.low:.0f}-{100 * found.high:.0f})"


def points(found: HasInterval | None, missing: str = "") -> str:
    """`+16.9 points (+9.1 to +24.8)`; a change of perplexity as it is."""
    if found is None:
        return missing
    if _is_loss(found):
        return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
    value, low, high = (100 * end for end in (found.value, found.low, found.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def format_count_share(found: CountOfTotal | None, missing: str = "") -> str:
    """`6 of 12 (25-75 %)`."""
    if found is None:
        return missing
    return f"{found.count:,} of {found.n:,} ({100 * found.low:.0f}-{100 * found.high:.0f} %)"


def confidence(level: float) -> str:
    """`95 % intervals`."""
    return f"{100 * level:g} % intervals"


def p_value(value: float) -> str:
    """Three digits."""
    return f"< {_LEAST_P}" if value < _LEAST_P else f"{value:.3f}"


def p_words(value: float) -> str:
    """`p = 0.012` or `p < 0.001`."""
    return f"p {p_value(value)}" if value < _LEAST_P else f"p = {p_value(value)}"


def number(value: float | None, missing: str = "") -> str:
    """A measured or estimated figure with two digits that say something: `0.033`, `1.2`, `82`, `1,234`."""
    if value is None:
        return missing
    if value == 0:
        return "0"
    if abs(value) < _LEAST_DECIMAL:
        return f"{value:.1e}"
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    shown = f"{value:,.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if decimals else shown


def apart(*values: float, least: int = 0) -> list[str]:
    """Figures that are compared, with as many decimals, `least` or more, as tell those that differ from each
    other and from nothing."""
    kinds = len({0.0, *values})
    for decimals in range(least, _MOST_DECIMALS + 1):
        shown = [f"{value:,.{decimals}f}" for value in values]
        if len({f"{0:.{decimals}f}", *shown}) == kinds:
            break
    return shown


def span(found: Range | None, missing: str = "") -> str:
    """`low - median - high`, or one figure where these are the same."""
    if found is None:
        return missing
    ends = [number(end) for end in (found.low, found.median, found.high)]
    return ends[0] if len(set(ends)) == 1 else " - ".join(ends)


def money(usd: Range | None, missing: str = "") -> str:
    """Dollars as a span; less than a cent is called so."""
    return "under 0.01" if usd is not None and 0 < usd.high < _CENT else span(usd, missing)


def gib(value: float) -> str:
    """Memory in GiB."""
    return f"{value:.2f}"


def loss(value: float | None) -> str:
    """A training or held-out loss."""
    return "" if value is None else f"{value:.4f}"


def count(value: int) -> str:
    """`1,234`."""
    return f"{value:,}"


def count_of(value: int, what: str, many: str = "") -> str:
    """`1 row`, `2 rows`; with `many`, `1 row is`, `2 rows are`."""
    return f"{value} {what if value == 1 else many or what + 's'}"


def list_counts(counts: Mapping[Name, int]) -> str:
    """`3 too long, 1 empty`."""
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items())


def row_counts(counts: RowCounts) -> str:
    """`10 rows read, 7 kept, 2 of them truncated, 3 dropped (overlong)`."""
    dropped = "".join(f", {n} dropped ({why})" for why, n in counts.rows_dropped.items())
    cut = f", {counts.rows_truncated} of them truncated" if counts.rows_truncated else ""
    return f"{counts.rows_in} rows read, {counts.rows_kept} kept{cut}{dropped}"


def settings(values: Mapping[str, object]) -> str:
    """`learning_rate 0.001, r 8`, leaving out what is None."""
    return ", ".join(f"{k} {_setting(v)}" for k, v in values.items() if v is not None)


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_loss(found: HasInterval) -> bool:
    return getattr(found, "metric", "") in LOSS_METRICS
