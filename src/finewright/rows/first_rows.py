"""What rows hold, counted while they pass by: by kind and file, with the first row of each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from finewright.schema.rows import Row


class _OfAKind(Protocol):
    @property
    def kind(self) -> str: ...


Held = TypeVar("Held", bound=_OfAKind)


@dataclass(slots=True)
class FirstRow(Generic[Held]):
    """Where a row is, the first of its kind that it holds, and how many rows of the file hold one."""

    file: str
    row: int
    first: Held
    num_rows: int = 1


@dataclass(slots=True)
class FirstRows(Generic[Held]):
    """The first rows so far; memory grows with the files, not with the rows.

    What has the highest `rank` goes before an earlier one, within a row and among rows."""

    rank: Callable[[Held], int] = lambda _: 0
    seen: dict[tuple[str, str], FirstRow[Held]] = field(default_factory=dict)

    def add(self, row: Row, held: Iterable[Held]) -> None:
        """Count what one more row holds."""
        of_row: dict[str, Held] = {}
        for each in held:
            first = of_row.setdefault(each.kind, each)
            if self.rank(each) > self.rank(first):
                of_row[each.kind] = each
        for each in of_row.values():
            self._join(FirstRow(row.file, row.row, each))

    def join(self, later: Iterable[FirstRow[Held]]) -> None:
        """Add what was counted of rows that come after."""
        for each in later:
            self._join(each)

    def _join(self, later: FirstRow[Held]) -> None:
        so_far = self.seen.setdefault((later.file, later.first.kind), later)
        if so_far is later:
            return
        so_far.num_rows += later.num_rows
        if self.rank(later.first) > self.rank(so_far.first):
            so_far.row, so_far.first = later.row, later.first

    def to_json(self) -> list[list[Any]]:  # Any: free JSON
        """What was counted, as it comes from another process."""
        return [[each.file, each.row, each.first, each.num_rows] for each in self]

    def __iter__(self) -> Iterator[FirstRow[Held]]:
        return iter(self.seen.values())
