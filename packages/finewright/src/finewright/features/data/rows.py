"""The usable rows of what a data command was given, read as by the data stage, and the fate of the others."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from finewright.errors import DataError
from finewright.report.cells import count_of
from finewright.rows.containers.lines import jsonl_at
from finewright.rows.containers.stream import check_encoding
from finewright.rows.fates import ReadOptions, RowFate, fates, unknown_format
from finewright.rows.formats.native import Expected, family_named
from finewright.rows.identity import to_user_json
from finewright.rows.tally import Tally, UsableRows
from finewright.schema.common import Problem, errors_of
from finewright.schema.rows import Row

_MOST_LINES = 5


def read_options(
    type: Expected = "auto",
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    encoding: str = "",
) -> ReadOptions:
    """What the user says of the rows; raises DataError where the format or the encoding is not known."""
    check_encoding(encoding)
    family = family_named(format)
    if family is None:
        problem = unknown_format(format)
        raise DataError(problem.message, hint=problem.hint)
    return ReadOptions(type, family, columns or {}, encoding=encoding)


def usable_rows(
    path: Path, options: ReadOptions, each: Callable[[RowFate], None] = lambda _: None
) -> UsableRows:
    """Read and check a file, a folder or `hub:OWNER/NAME`; `each` gets every row, also those of no use.

    What a manifest states of a file's format and columns holds where the `options` leave them open. Raises
    DataError where there is no such path, and where not one row can be used."""
    found = UsableRows()
    for item in fates(path, options):
        found.add(item)
        if isinstance(item, RowFate):
            each(item)
    if not found.rows:
        raise _nothing(path, found.tally)
    return found


def problems_of(path: Path, tally: Tally) -> tuple[Problem, ...]:
    """What must be said of the path; the last says how many rows no check could look at."""
    problems = tally.problems()
    num = tally.dropped.total()
    if not num:
        return problems
    file = _make_printable(path)
    what = f"{count_of(num, 'row')} could not be looked at"
    hint = f"finewright data check {file} says why"
    return (*problems, Problem(level="error", file=file, message=what, hint=hint))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows to a file, a line each, in the shape that users write them."""
    with jsonl_at(path) as write:
        for row in rows:
            write(to_user_json(row))


def _nothing(path: Path, tally: Tally) -> DataError:
    errors = errors_of(tally.problems())
    file = _make_printable(path)
    if num := tally.rows_in:
        which = f": {errors[0].line()}" if errors else ""
        hint = f"`finewright data show {file}` shows their keys, and what they could stand for"
        what = "its only row cannot be used" if num == 1 else f"none of {num} rows can be used"
        return DataError(f"{file}: {what}{which}", hint=hint)
    lines = [problem.line() for problem in errors[:_MOST_LINES]]
    return DataError("\n".join(lines) or f"{file}: there are no rows in it")


def _make_printable(path: Path) -> str:
    # A file name need not be UTF-8; what is printed must be.
    return str(path).encode(errors="replace").decode()
