"""Text that a reader of rows does not see, counted while they pass by: one problem for each kind and file."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from finewright.guard.poison.hidden import Hidden, hidden
from finewright.rows.first_rows import FirstRow, FirstRows
from finewright.schema.common import Problem
from finewright.schema.rows import Row


def _tricks_first() -> FirstRows[Hidden]:
    return FirstRows(rank=lambda found: found.is_trick)


@dataclass(slots=True)
class HiddenText:
    """The hidden text of the rows so far; of each kind the first trick goes before what else comes first."""

    seen: FirstRows[Hidden] = field(default_factory=_tricks_first)

    def add(self, row: Row) -> None:
        """Look at one more row."""
        self.seen.add(row, hidden(row))

    def problems(self) -> list[Problem]:
        """A warning for what hardly anybody writes by accident; an info for HTML comments and the like."""
        return [_problem(seen) for seen in self.seen]


def hidden_text(rows: Iterable[Row]) -> list[Problem]:
    """The problems of all of these rows."""
    found = HiddenText()
    for row in rows:
        found.add(row)
    return found.problems()


def _problem(seen: FirstRow[Hidden]) -> Problem:
    found = seen.first
    rows = "1 row holds" if seen.num_rows == 1 else f"{seen.num_rows} rows hold"
    # It goes to a terminal, where some signs would act.
    text = "".join(sign if sign.isprintable() else " " for sign in found.says)
    says = f": {text}" if text else ""
    return Problem(
        level="warning" if found.is_trick else "info",
        file=seen.file,
        row=seen.row,
        key=found.key,
        message=f"{rows} {found.kind}, which a reader does not see, this one first{says}",
        hint=f"finewright data poison {seen.file} looks closer",
    )
