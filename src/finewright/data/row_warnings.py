"""What is said of the texts of usable rows, whatever file they are in: control tokens, hidden text and odd
turns; and of rows that repeat each other. None of it is an error, and nothing is dropped or changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finewright.data.odd_turns import OddTurn, OddTurns
from finewright.guard.controls import ControlTokens
from finewright.guard.hidden_text import HiddenText
from finewright.guard.poison.hidden import Hidden
from finewright.rows.containers.found import said
from finewright.rows.first_rows import FirstRow
from finewright.schema.common import Problem
from finewright.schema.rows import Row

_ROW_BITS = 40


@dataclass(slots=True)
class RowWarnings:
    """The rows so far; memory grows with the files and with the control tokens, not with the rows."""

    controls: ControlTokens = field(default_factory=ControlTokens)
    hidden: HiddenText = field(default_factory=HiddenText)
    odd: OddTurns = field(default_factory=OddTurns)

    def add(self, rows: Iterable[Row]) -> None:
        """Look at more rows."""
        for row in rows:
            self.controls.add(row)
            self.hidden.add(row)
            self.odd.add(row)

    def problems(self) -> list[Problem]:
        """Of each file and kind one, at the first row."""
        return [*self.controls.problems(), *self.hidden.problems(), *self.odd.problems()]

    def to_json(self) -> dict[str, Any]:  # Any: free JSON
        """What was seen, as it comes from who looked at a slice."""
        return {
            "controls": self.controls.to_json(),
            "hidden": self.hidden.seen.to_json(),
            "odd": self.odd.seen.to_json(),
        }

    def join(self, later: Mapping[str, Any]) -> None:  # Any: free JSON
        """Add what `to_json` says of rows that come after."""
        self.controls.join(later["controls"])
        self.hidden.seen.join(
            FirstRow(file, row, Hidden(*first), num) for file, row, first, num in later["hidden"]
        )
        self.odd.seen.join(
            FirstRow(file, row, OddTurn(*first), num) for file, row, first, num in later["odd"]
        )


@dataclass(slots=True)
class ExactRepeats:
    """Where each row was seen first, by its id: memory grows by a number a row."""

    files: list[str] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)
    num_repeats: int = 0
    repeat: tuple[Row, int] | None = None

    def add(self, rows: Sequence[Row]) -> None:
        """Look at what one row of a file holds; that it holds the same twice is no repeat."""
        seen_before = [self.first.get(int(row.id, 16)) for row in rows]
        for row, seen in zip(rows, seen_before, strict=True):
            if seen is not None:
                self.num_repeats += 1
                self.repeat = self.repeat or (row, seen)
                continue
            if not self.files or self.files[-1] != row.file:
                self.files.append(row.file)
            here = (len(self.files) - 1) << _ROW_BITS | row.row
            self.first.setdefault(int(row.id, 16), here)

    def problems(self) -> list[Problem]:
        """One warning for all exact repeats, at the first of them."""
        if self.repeat is None:
            return []
        row, seen = self.repeat
        source = f"{self.files[seen >> _ROW_BITS]}:{seen & ((1 << _ROW_BITS) - 1)}"
        many = f"{self.num_repeats} rows repeat" if self.num_repeats > 1 else "1 row repeats"
        what = f"{many} an earlier row exactly, this one {source}"
        hint = "repeats are kept, and weigh more; remove them unless you mean it"
        return [said(row.file, what, hint, row.row, "warning")]
