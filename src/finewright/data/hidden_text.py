"""Text that a reader of rows does not see, counted while they pass by: one problem for each kind and file."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from finewright.data.poison.hidden import Hidden, hidden
from finewright.schema.common import Problem
from finewright.schema.rows import Row


@dataclass(slots=True)
class _Kind:
    """Rows with one kind of hidden text in one file; the first row, or the first that is a trick."""

    row: Row
    first: Hidden
    num_rows: int = 1


@dataclass(slots=True)
class HiddenText:
    """The hidden text of the rows so far; memory grows with the files, not with the rows."""

    seen: dict[tuple[str, str], _Kind] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Look at one more row."""
        of_row: dict[str, Hidden] = {}
        for found in hidden(row):
            first = of_row.get(found.kind)
            if first is None or (found.is_trick and not first.is_trick):
                of_row[found.kind] = found
        for kind, found in of_row.items():
            so_far = self.seen.get((row.file, kind))
            if so_far is None:
                self.seen[row.file, kind] = _Kind(row, found)
                continue
            so_far.num_rows += 1
            if found.is_trick and not so_far.first.is_trick:
                so_far.row, so_far.first = row, found

    def problems(self) -> list[Problem]:
        """A warning for what hardly anybody writes by accident; an info for HTML comments and the like."""
        return [_problem(kind) for kind in self.seen.values()]


def hidden_text(rows: Iterable[Row]) -> list[Problem]:
    """The problems of all of these rows."""
    found = HiddenText()
    for row in rows:
        found.add(row)
    return found.problems()


def _problem(kind: _Kind) -> Problem:
    found, row = kind.first, kind.row
    rows = "1 row holds" if kind.num_rows == 1 else f"{kind.num_rows} rows hold"
    # It goes to a terminal, where some signs would act.
    text = "".join(sign if sign.isprintable() else " " for sign in found.says)
    says = f": {text}" if text else ""
    return Problem(
        level="warning" if found.is_trick else "info",
        file=row.file,
        row=row.row,
        key=found.key,
        message=f"{rows} {found.kind}, which a reader does not see, this one first{says}",
        hint=f"finewright data poison {row.file} looks closer",
    )
