"""`data check`: say what would become of every row of a file, and mend what is safe to mend."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from finewright.data.check import check_rows
from finewright.data.mend import fix_rows, outputs_of, path_of_rejected
from finewright.rows.containers.lines import jsonl_at
from finewright.rows.fates import ReadOptions
from finewright.schema.common import Problem
from finewright.schema.data_check import DataCheckReport, FixReport
from finewright.workbench.outputs import check_outputs

Say = Callable[[Problem], None]


def check(
    path: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
    problems: Path | None = None,
) -> DataCheckReport:
    """Every row of a file, a folder or `hub:OWNER/NAME`; with `problems`, each problem on a line there.

    Raises DataError where there is a file at `problems` already."""
    check_outputs([problems], [path])
    with _write_problems_to(problems) as say:
        report = check_rows(path, options, say)
    if problems and not report.rows_in:
        problems.unlink()
    return report


def fix(
    path: Path,
    out: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
    problems: Path | None = None,
    *,
    by_type: bool = False,
) -> FixReport:
    """Write the rows to `out`, mended where that is safe, and the others to `NAME.rejected.jsonl` beside it.

    With `by_type` each type of row has a file of its own, `NAME.TYPE.jsonl`; with `problems`, each problem
    is on a line there. A file that would be empty is not written. Raises DataError where there is one."""
    outs = outputs_of(out, by_type=by_type)
    check_outputs([*outs.values(), path_of_rejected(out), problems], [path])
    with _write_problems_to(problems) as say:
        return fix_rows(path, out, options, say, by_type=by_type)


@contextmanager
def _write_problems_to(problems: Path | None) -> Iterator[Say]:
    if problems is None:
        yield lambda _: None
    else:
        with jsonl_at(problems) as write:
            yield lambda problem: write(problem.model_dump())
