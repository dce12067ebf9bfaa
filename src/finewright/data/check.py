"""What would become of every row of a file or folder, a row at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from finewright.data.remarks import Remarks
from finewright.data.validate import Asked, checked
from finewright.rows.containers.found import ReadRow, Unread
from finewright.rows.containers.manifest import Part
from finewright.rows.containers.parts import parts_of
from finewright.rows.containers.rows import rows_of
from finewright.rows.formats.table import family_named
from finewright.schema.common import Problem
from finewright.schema.data_check import DataCheckReport
from finewright.schema.listing import Listing


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
    for problem in tally.remarks.problems():
        tally.say(problem)
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
    """The counts so far."""

    on_problem: Callable[[Problem], None]
    listing: Listing = field(default_factory=Listing)
    num_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    remarks: Remarks = field(default_factory=Remarks)

    def say(self, problem: Problem) -> None:
        self.on_problem(problem)
        self.listing.add(problem)

    def read(self, part: Part, asked: Asked) -> None:
        self.remarks.begin(part.name)
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
        self.remarks.add(row.row, found.rows)

    def report(self) -> DataCheckReport:
        return DataCheckReport(
            rows_in=self.num_kept + self.dropped.total(),
            rows_kept=self.num_kept,
            rows_dropped=dict(self.dropped),
            problems=self.listing.problems(),
        )
