"""What would become of every row of a file or folder, a row at a time."""

from collections.abc import Callable
from pathlib import Path

from finewright.data.row_warnings import ExactRepeats, RowWarnings
from finewright.rows.fates import ReadOptions, RowFate, Tally, fates
from finewright.schema.common import Problem
from finewright.schema.data_check import DataCheckReport


def check_rows(path: Path, options: ReadOptions, say: Callable[[Problem], None]) -> DataCheckReport:
    """Read and check every row; `say` gets every problem, the report the first of them.

    Control tokens and text that is not seen are among them; they stop nothing.
    Memory grows by a number a row, by which repeats are known; nothing else of a row is kept. What a
    manifest states of a file's format and columns holds where the `options` leave them open."""
    tally, warnings, repeats = Tally(), RowWarnings(), ExactRepeats()
    for item in fates(path, options):
        tally.add(item)
        if not isinstance(item, RowFate):
            say(item)
            continue
        for problem in item.problems:
            say(problem)
        warnings.add(item.rows)
        repeats.add(item.rows)
    for problem in (*warnings.problems(), *repeats.problems()):
        say(problem)
        tally.listing.add(problem)
    return DataCheckReport(
        rows_in=tally.rows_in,
        rows_kept=tally.kept,
        rows_dropped=dict(tally.dropped),
        problems=tally.listing.problems(),
    )
