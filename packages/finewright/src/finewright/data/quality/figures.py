"""Bars out of rows: counts with the rows behind them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from finewright.schema.common import Problem
from finewright.schema.data_check import Bar, RowRef
from finewright.schema.rows import Row

# Named rows of one bar: enough to look at, and a report that stays small.
MOST_NAMED = 50
_MOST_WEIGHTY = 0.95


def ref(row: Row) -> RowRef:
    """The row by name."""
    return RowRef(file=row.file, row=row.row, id=row.id)


def bar(label: str, rows: Sequence[Row], *, is_notable: bool = False) -> Bar:
    """A bar with the first of its rows by name."""
    named = tuple(ref(row) for row in rows[:MOST_NAMED])
    return Bar(label=label, count=len(rows), rows=named, is_notable=is_notable)


def bars(groups: Mapping[str, Sequence[Row]], *, most: int = 20) -> tuple[Bar, ...]:
    """The groups as bars, the largest first; those behind the first `most` become one, `others`."""
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = [bar(label, rows) for label, rows in ordered[:most]]
    rest = [row for _, rows in ordered[most:] for row in rows]
    return tuple([*shown, bar(f"{len(ordered) - most} others", rest)] if rest else shown)


def histogram(values: Iterable[tuple[Row, int]]) -> tuple[Bar, ...]:
    """Rows by a count they have, between 1, 2, 5, 10, 20, 50, ...; empty bars only in between."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row, value in values:
        found[_bin(value)].append(row)
    if not found:
        return ()
    return tuple(bar(_bin_label(i), found.get(i, [])) for i in range(min(found), max(found) + 1))


def summary(values: Sequence[int]) -> dict[str, float]:
    """Mean, and the nearest-rank median and 95th percentile, and the largest."""
    if not values:
        return {}
    ordered = sorted(values)
    ranks = {"median": 0.5, "95 % at most": _MOST_WEIGHTY}
    found = {
        name: float(ordered[math.ceil(share * len(ordered)) - 1]) for name, share in ranks.items()
    }
    return {"mean": sum(values) / len(values), **found, "largest": float(ordered[-1])}


def notice(rows: Sequence[Row], key: str, message: str, hint: str) -> Problem:
    """A warning about rows, which names the first."""
    return Problem(
        level="warning", file=rows[0].file, row=rows[0].row, key=key, message=message, hint=hint
    )


_STEPS = (1, 2, 5)


def _edge(number: int) -> int:
    """0, 1, 2, 5, 10, 20, ...: where bin `number` begins."""
    if number == 0:
        return 0
    tens, step = divmod(number - 1, len(_STEPS))
    return int(_STEPS[step] * 10**tens)


def _bin(value: int) -> int:
    number = 0
    while _edge(number + 1) <= value:
        number += 1
    return number


def _bin_label(number: int) -> str:
    first, last = _edge(number), _edge(number + 1) - 1
    return f"{first:,}" if first == last else f"{first:,}-{last:,}"
