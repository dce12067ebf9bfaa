"""What would become of every row of a file or folder, a row at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from finewright.data.containers.found import Listing, ReadRow, Unread, said
from finewright.data.containers.manifest import Part
from finewright.data.containers.parts import parts_of
from finewright.data.containers.rows import rows_of
from finewright.data.controls import ControlTokens
from finewright.data.formats.table import family_named
from finewright.data.hidden_text import HiddenText
from finewright.data.validate import Asked, checked
from finewright.schema.common import Problem
from finewright.schema.data_check import DataCheckReport
from finewright.schema.rows import Row

_ROW_BITS = 40


def check_rows(path: Path, asked: Asked, say: Callable[[Problem], None]) -> DataCheckReport:
    """Read and check every row; `say` gets every problem, the report the first of them.

    Control tokens and text that is not seen are among them; they stop nothing.
    Memory grows by a number a row, by which repeats are known; nothing else of a row is kept. What a
    manifest states of a file's format and columns holds where `asked` leaves them open."""
    tally = _Tally(say)
    for part in parts_of(path):
        if isinstance(part, Problem):
            tally.say(part)
        else:
            tally.read(part, asked_of(part, asked))
    for problem in (*tally.controls.problems(), *tally.hidden.problems()):
        tally.say(problem)
    tally.say_repeats()
    return tally.report()


def asked_of(part: Part, asked: Asked) -> Asked:
    """What is asked of the part's rows: by the user, else by the manifest that names the part."""
    stated = family_named(part.format) or "auto"
    return asked._replace(
        family=stated if asked.family == "auto" else asked.family,
        columns=asked.columns or part.columns,
    )


@dataclass(slots=True)
class _Tally:
    """The counts so far; `first` is where each row was seen first, by its id."""

    on_problem: Callable[[Problem], None]
    listing: Listing = field(default_factory=Listing)
    num_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    files: list[str] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)
    num_repeats: int = 0
    repeat: tuple[Row, int] | None = None
    controls: ControlTokens = field(default_factory=ControlTokens)
    hidden: HiddenText = field(default_factory=HiddenText)

    def say(self, problem: Problem) -> None:
        self.on_problem(problem)
        self.listing.add(problem)

    def read(self, part: Part, asked: Asked) -> None:
        self.files.append(part.name)
        for found in rows_of(part):
            if isinstance(found, ReadRow):
                self._check(found, asked)
            elif isinstance(found, Unread):
                self.dropped["unreadable"] += 1
                self.say(found.problem)
            else:
                self.say(found)

    def _check(self, row: ReadRow, asked: Asked) -> None:
        found = checked(row, asked)
        self.num_kept += len(found.rows)
        self.dropped.update(found.dropped)
        for problem in found.problems:
            self.say(problem)
        here = (len(self.files) - 1) << _ROW_BITS | row.row
        for usable in found.rows:
            self.controls.add(usable)
            self.hidden.add(usable)
            seen = self.first.setdefault(int(usable.id, 16), here)
            if seen != here:
                self.num_repeats += 1
                self.repeat = self.repeat or (usable, seen)

    def say_repeats(self) -> None:
        """One warning for all exact repeats, at the first of them."""
        if self.repeat is None:
            return
        row, seen = self.repeat
        source = f"{self.files[seen >> _ROW_BITS]}:{seen & ((1 << _ROW_BITS) - 1)}"
        many = f"{self.num_repeats} rows repeat" if self.num_repeats > 1 else "1 row repeats"
        what = f"{many} an earlier row exactly, this one {source}"
        hint = "repeats are kept, and weigh more; remove them unless you mean it"
        self.say(said(row.file, what, hint, row.row, "warning"))

    def report(self) -> DataCheckReport:
        return DataCheckReport(
            rows_in=self.num_kept + self.dropped.total(),
            rows_kept=self.num_kept,
            rows_dropped=dict(self.dropped),
            problems=self.listing.problems(),
        )
