"""`data duplicates`: rows of files that repeat each other or rows that measure; a copy without repeats."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from finewright.data.contamination import contamination
from finewright.data.validate import Asked
from finewright.features.data.rows import usable_rows, write_rows
from finewright.guard.duplicates.find import find
from finewright.schema.duplicates import DuplicatesReport, DuplicatesSpec
from finewright.workbench.outputs import check_outputs


def duplicates(
    paths: Sequence[Path],
    *,
    spec: DuplicatesSpec | None = None,
    against: Sequence[Path] = (),
    out: Path | None = None,
    asked: Asked = Asked(),  # noqa: B008 - a tuple that nobody changes
) -> DuplicatesReport:
    """Repeats among the usable rows of all files together, and which rows of `against` are known from them.

    With `out`, a new file, the rows that go on are written there. Rows that cannot be used are not
    compared, and are counted among the dropped. Raises DataError where one of the paths, also of `against`,
    is not there or has no usable row."""
    check_outputs([out], [*paths, *against])
    spec = spec or DuplicatesSpec()
    read = [usable_rows(path, asked) for path in paths]
    held_out = [usable_rows(path, asked) for path in against]
    outcome, report = find([row for found in read for row in found.rows], spec)
    measured = [
        contamination(outcome.rows, found.path.name, found.rows, similarity=spec.similarity)
        for found in held_out
    ]
    if out is not None:
        write_rows(out, outcome.rows)
    dropped = sum((found.dropped for found in read), Counter(report.rows_dropped))
    of_files = [problem for found in (*read, *held_out) for problem in found.problems()]
    known = [problem for found in measured for problem in found.problems]
    return report.model_copy(
        update={
            "rows_in": sum(found.rows_in for found in read),
            "rows_dropped": dict(dropped),
            "contamination": tuple(found.report for found in measured),
            "out": "" if out is None else str(out),
            "problems": (*of_files, *report.problems, *known),
        }
    )
