"""`data check`: say what would become of every row of a file, and mend what is safe to mend."""

from collections.abc import Mapping
from pathlib import Path

from finewright.data.check import check_rows
from finewright.data.mend import fix_rows, rejected_beside
from finewright.features.data.rows import read_options
from finewright.rows.containers.write import jsonl_at
from finewright.rows.formats.native import Expected
from finewright.schema.data_check import DataCheckReport, FixReport
from finewright.workbench.outputs import check_outputs


def check(
    path: Path,
    *,
    type: Expected = "auto",
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    problems: Path | None = None,
) -> DataCheckReport:
    """Every row of a file, a folder or `hub:OWNER/NAME`; with `problems`, each problem on a line there.

    The report lists the first problems of each file and level only. Raises DataError where the format is
    not known, and where there is a file at `problems` already."""
    options = read_options(type, format, columns)
    check_outputs([problems], [path])
    if problems is None:
        return check_rows(path, options, lambda _: None)
    with jsonl_at(problems) as write:
        report = check_rows(path, options, lambda problem: write(problem.model_dump()))
    if not report.rows_in:
        problems.unlink()
    return report


def fix(
    path: Path,
    out: Path,
    *,
    type: Expected = "auto",
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    encoding: str = "",
) -> FixReport:
    """Write the rows to `out`, mended where that is safe, and the others to `NAME.rejected.jsonl` beside it.

    Text is read as UTF-8, or as what a mark at its start says, unless an `encoding` is named.
    A file that would be empty is not written. Raises DataError where either is there already."""
    options = read_options(type, format, columns)
    check_outputs([out, rejected_beside(out)], [path])
    report = fix_rows(path, out, options, encoding)
    if report.rows_written:
        return report
    out.unlink()
    return report.model_copy(update={"out": ""})
