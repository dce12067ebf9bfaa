"""Rows joined by pairs: the group of each, and which row of near ones is kept."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


def joined(num_rows: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each row the first row of its group; rows of a pair, and of pairs that touch, share one.

    Union-find with path halving; the lower row is always the root, so the order of the pairs does not
    matter."""
    parent = list(range(num_rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(row) for row in range(num_rows)]


class Original(NamedTuple):
    """The earlier row that says a row's words, and how near it is."""

    row: int
    similarity: float


@dataclass(slots=True)
class Leaders:
    """Each row that is near an earlier row which stays, and that row.

    `unfinished` are those that were compared with as many rows as a row may be, and not with all."""

    found: dict[int, Original] = field(default_factory=dict)
    unfinished: set[int] = field(default_factory=set)


def leaders(
    pairs: Iterable[tuple[int, int]],
    near: Callable[[int, int], float | None],
    most_compared: int | None = None,
) -> Leaders:
    """Each row that is near an earlier row which stays. All others stay.

    `pairs` are candidates (earlier, later), those of a later row together, after all of each row before.
    A row is only ever left out for a row that stays and that `near` confirms: in a chain of small edits
    A, B, C the last one stays, unless it is near A itself. Plain union-find would leave C out for a B that
    is gone. So a family of repeats costs a comparison a row; rows that are alike and no repeats are
    compared with each other, each with at most `most_compared`."""
    led = Leaders()
    tried: set[int] = set()
    last = -1
    for earlier, later in pairs:
        if later != last:
            last, tried = later, set()
        if later in led.found:
            continue
        stays = led.found[earlier].row if earlier in led.found else earlier
        if stays in tried:
            continue
        if len(tried) == most_compared:
            led.unfinished.add(later)
            continue
        tried.add(stays)
        similarity = near(stays, later)
        if similarity is not None:
            led.found[later] = Original(stays, similarity)
    return led
