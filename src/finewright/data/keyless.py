"""Rows as no key changes them, for what is searched, compared or split: a verdict on stand-ins would be
another one with each key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from finewright.schema.rows import Row


class Keyless(NamedTuple):
    """A row that has stand-ins; the same with marks, such as `[EMAIL]`, as where values are redacted; and
    with the values that were read. Both have the latter's id, for rows of two persons are two rows."""

    row: Row
    marked: Row
    plain: Row


@dataclass(frozen=True, slots=True)
class KeylessRows:
    """Of each row that has stand-ins, by the `id()` of it, how it is without them. Never to be written."""

    of: Mapping[int, Keyless] = field(default_factory=dict)

    def marked(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with marks where they have stand-ins."""
        return [self.of[id(row)].marked if id(row) in self.of else row for row in rows]

    def plain(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what was read where they have stand-ins."""
        return [self.of[id(row)].plain if id(row) in self.of else row for row in rows]


def own_of(rows: Sequence[Row], searched: Sequence[Row]) -> Callable[[Row], Row]:
    """Gives for each of the rows as they were searched the one that it is."""
    own = {id(one): row for row, one in zip(rows, searched, strict=True)}
    return lambda row: own[id(row)]
