"""What the steps of the door did to rows: from the id that a row was read with to the one it has."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from finewright.schema.rows import Row


class RowChange(NamedTuple):
    """The id before the first change, and the steps that changed the row, in their order."""

    id_before: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowChanges:
    """The changed rows, by where they were read and the id they have after the last step."""

    of: Mapping[tuple[str, int, str], RowChange] = field(default_factory=dict)

    def after(self, step: str, before: Sequence[Row], rows: Sequence[Row]) -> "RowChanges":
        """These, and what one more step did: `rows` are what it made of `before`, in their order.

        The step may leave rows out. Where it changed one of several rows of one record and left
        another out, the first that is gone is taken to be the one that changed."""
        left: dict[tuple[str, int], list[str]] = defaultdict(list)
        kept = {_place(row) for row in rows}
        for row in before:
            if _place(row) not in kept:
                left[row.file, row.row].append(row.id)
        came = {_place(row) for row in before}
        found = {place: change for place, change in self.of.items() if place in kept}
        for row in rows:
            if _place(row) not in came and left[row.file, row.row]:
                id_before = left[row.file, row.row].pop(0)
                earlier = self.of.get((row.file, row.row, id_before), RowChange(id_before, ()))
                found[_place(row)] = RowChange(earlier.id_before, (*earlier.steps, step))
        return RowChanges(found)

    def of_row(self, row: Row) -> RowChange:
        """The row's change; its own id and no step if there is none."""
        return self.of.get(_place(row), RowChange(row.id, ()))


def _place(row: Row) -> tuple[str, int, str]:
    return row.file, row.row, row.id
