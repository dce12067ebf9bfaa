"""`data duplicates`: rows of files that repeat each other or rows that measure; a copy without repeats."""

from collections.abc import Sequence
from pathlib import Path

from finewright.data.contamination import contamination
from finewright.features.data.rows import said_of, usable_rows, write_rows
from finewright.guard.duplicates.find import find
from finewright.rows.fates import ReadOptions, Tally
from finewright.schema.duplicates import DuplicatesReport, DuplicatesSpec
from finewright.workbench.outputs import check_outputs


def duplicates(
    paths: Sequence[Path],
    *,
    spec: DuplicatesSpec | None = None,
    against: Sequence[Path] = (),
    out: Path | None = None,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
) -> DuplicatesReport:
    """Repeats among the usable rows of all files together, and which rows of `against` are known from them.

    With `out`, a new file, the rows that go on are written there. Rows that cannot be used are not
    compared, and are counted among the dropped. Raises DataError where one of the paths, also of `against`,
    is not there or has no usable row."""
    check_outputs([out], [*paths, *against])
    spec = spec or DuplicatesSpec()
    read = [usable_rows(path, options) for path in paths]
    held_out = [usable_rows(path, options) for path in against]
    outcome, report = find([row for found in read for row in found.rows], spec)
    measured = [
        contamination(outcome.rows, path.name, found.rows, similarity=spec.similarity)
        for path, found in zip(against, held_out, strict=True)
    ]
    if out is not None:
        write_rows(out, outcome.rows)
    of_files = [
        problem
        for path, found in zip([*paths, *against], [*read, *held_out], strict=True)
        for problem in said_of(path, found.tally)
    ]
    tally = Tally()
    for found in read:
        tally.join(found.tally)
    tally.drop(report.rows_dropped)
    known = [problem for found in measured for problem in found.problems]
    return report.model_copy(
        update={
            "rows_in": tally.rows_in,
            "rows_dropped": dict(tally.dropped),
            "contamination": tuple(found.report for found in measured),
            "out": "" if out is None else str(out),
            "problems": (*of_files, *report.problems, *known),
        }
    )
