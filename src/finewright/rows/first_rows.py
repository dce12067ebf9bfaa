"""What rows hold, counted while they pass by: by kind and file, with the first row of each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from finewright.schema.rows import Row


class _OfAKind(Protocol):
    @property
    def kind(self) -> str: ...


Held = TypeVar("Held", bound=_OfAKind)


@dataclass(slots=True)
class FirstRow(Generic[Held]):
    """A row, the first of its kind that it holds, and how many rows of the file hold one."""

    row: Row
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
        for kind, each in of_row.items():
            so_far = self.seen.get((row.file, kind))
            if so_far is None:
                self.seen[row.file, kind] = FirstRow(row, each)
                continue
            so_far.num_rows += 1
            if self.rank(each) > self.rank(so_far.first):
                so_far.row, so_far.first = row, each

    def __iter__(self) -> Iterator[FirstRow[Held]]:
        return iter(self.seen.values())
