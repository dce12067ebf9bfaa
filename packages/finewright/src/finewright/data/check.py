"""What would become of every row of a file or folder, a row at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from finewright.data.row_warnings import ExactRepeats, RowWarnings
from finewright.rows.fates import ReadOptions, RowFate, fates_of, files_of
from finewright.rows.tally import Tally
from finewright.schema.common import Problem
from finewright.schema.data_check import DataCheckReport, FoundRows
from finewright.schema.listing import ProblemGroup, group_of


@dataclass(slots=True)
class EveryRow:
    """Each finding with all rows that it is about, of each file for itself: a number a row is kept."""

    first: dict[ProblemGroup, Problem] = field(default_factory=dict)
    rows: dict[ProblemGroup, list[int]] = field(default_factory=dict)
    originals: dict[ProblemGroup, tuple[str, ...]] = field(default_factory=dict)

    def add(self, problem: Problem, rows: Iterable[int]) -> None:
        """The problem is about these rows, too."""
        group = group_of(problem)
        self.first.setdefault(group, problem)
        self.rows.setdefault(group, []).extend(rows)

    def add_fate(self, fate: RowFate) -> None:
        """What is said of one row."""
        for problem in fate.problems:
            self.add(problem, [fate.row])

    def add_later(self, warnings: RowWarnings, repeats: ExactRepeats) -> list[Problem]:
        """What is said after the last row; gives the problems."""
        for problem, rows in warnings.problems_with_rows():
            self.add(problem, rows)
        found = repeats.problems()
        for problem in found:
            for file, repeated in repeats.rows.items():
                of_file = problem.model_copy(update={"file": file})
                self.add(of_file, repeated)
                self.originals[group_of(of_file)] = tuple(repeats.originals(file))
        return [*warnings.problems(), *found]

    def collect(self) -> tuple[FoundRows, ...]:
        """All of them, in the order of their first rows."""
        return tuple(
            FoundRows(
                level=first.level,
                file=first.file,
                key=first.key,
                message=first.message,
                rows=tuple(dict.fromkeys(self.rows[group])),
                originals=self.originals.get(group, ()),
            )
            for group, first in self.first.items()
        )


def check_rows(path: Path, options: ReadOptions, say: Callable[[Problem], None]) -> DataCheckReport:
    """Read and check every row; `say` gets every problem, the report the first of them, and all their rows.

    Control tokens and text that is not seen are among them; they stop nothing.
    Memory grows by a number a row, by which repeats are known, and one more for each thing that is found in
    it; nothing else of a row is kept. What a manifest states of a file's format and columns holds where the
    `options` leave them open."""
    tally, warnings, repeats, every = Tally(), RowWarnings(), ExactRepeats(), EveryRow()
    for item in fates_of(files_of(path, options)):
        tally.add(item)
        if not isinstance(item, RowFate):
            say(item)
            continue
        if item.problems:
            every.add_fate(item)
            for problem in item.problems:
                say(problem)
        warnings.add(item.rows)
        repeats.add(item.rows)
    for problem in every.add_later(warnings, repeats):
        say(problem)
        tally.listing.add(problem)
    for problem in tally.unmet():
        say(problem)
    return DataCheckReport(
        rows_in=tally.rows_in,
        rows_kept=tally.kept,
        rows_by_type={str(name): count for name, count in tally.types.most_common()},
        rows_dropped=dict(tally.dropped),
        problems=tally.problems(),
        findings=every.collect(),
    )
