"""Rows as no key changes them, for what is searched, compared or split: a verdict on stand-ins would be
another one with each key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from finewright.schema.rows import Row


class Keyless(NamedTuple):
    """A row that has stand-ins, and the same row with those of a key that everybody knows: who is who can be
    told, also where a value is written in two ways."""

    row: Row
    keyless: Row


@dataclass(frozen=True, slots=True)
class KeylessRows:
    """Of each row that has stand-ins, by the `id()` of it, how it is without a key. Never to be written: with
    the known key, values can be guessed."""

    of: Mapping[int, Keyless] = field(default_factory=dict)

    def instead_of(self, rows: Sequence[Row]) -> list[Row]:
        """The rows without a key where they have stand-ins."""
        return [self.of[id(row)].keyless if id(row) in self.of else row for row in rows]


def own_of(rows: Sequence[Row], searched: Sequence[Row]) -> Callable[[Row], Row]:
    """Gives for each of the rows as they were searched the one that it is."""
    own = {id(one): row for row, one in zip(rows, searched, strict=True)}
    return lambda row: own[id(row)]
