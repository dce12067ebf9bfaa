"""What is told of the usable rows of files beside what each is told: control tokens, hidden text, odd turns,
repeats."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from finewright.data.odd_turns import OddTurns
from finewright.guard.controls import ControlTokens
from finewright.guard.hidden_text import HiddenText
from finewright.rows.containers.found import said
from finewright.schema.common import Problem
from finewright.schema.rows import Row

_ROW_BITS = 40


@dataclass(slots=True)
class Remarks:
    """The rows so far; memory grows by a number a row, by which exact repeats are known.

    `first` is where each row was seen first, by its id. Nothing is dropped or changed here."""

    files: list[str] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)
    num_repeats: int = 0
    repeat: tuple[Row, int] | None = None
    controls: ControlTokens = field(default_factory=ControlTokens)
    hidden: HiddenText = field(default_factory=HiddenText)
    odd: OddTurns = field(default_factory=OddTurns)

    def begin(self, file: str) -> None:
        """The rows that come next are of that file."""
        self.files.append(file)

    def add(self, row: int, usable: Iterable[Row]) -> None:
        """Look at what became of one row of the file."""
        here = (len(self.files) - 1) << _ROW_BITS | row
        for made in usable:
            self.controls.add(made)
            self.hidden.add(made)
            self.odd.add(made)
            seen = self.first.setdefault(int(made.id, 16), here)
            if seen != here:
                self.num_repeats += 1
                self.repeat = self.repeat or (made, seen)

    def problems(self) -> list[Problem]:
        """Of each file at most a few, at the first row; none is an error."""
        told = (self.controls, self.hidden, self.odd)
        return [*(problem for each in told for problem in each.problems()), *self._repeats()]

    def _repeats(self) -> list[Problem]:
        """One warning for all exact repeats, at the first of them."""
        if self.repeat is None:
            return []
        row, seen = self.repeat
        source = f"{self.files[seen >> _ROW_BITS]}:{seen & ((1 << _ROW_BITS) - 1)}"
        many = f"{self.num_repeats} rows repeat" if self.num_repeats > 1 else "1 row repeats"
        what = f"{many} an earlier row exactly, this one {source}"
        hint = "repeats are kept, and weigh more; remove them unless you mean it"
        return [said(row.file, what, hint, row.row, "warning")]
