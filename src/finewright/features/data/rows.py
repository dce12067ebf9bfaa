"""The usable rows of what a data command was given, read as by the data stage, and the fate of the others."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from finewright.data.check import asked_of
from finewright.data.validate import Asked, Checked, checked, validate
from finewright.errors import DataError
from finewright.rows.containers.found import Found, ReadRow, Unread
from finewright.rows.containers.parts import parts_of
from finewright.rows.containers.rows import rows_of
from finewright.rows.containers.write import jsonl_at
from finewright.rows.formats.table import family_named
from finewright.rows.user_rows import to_user_json
from finewright.schema.common import Problem
from finewright.schema.data import DataType
from finewright.schema.listing import Listing
from finewright.schema.rows import Row

Type = Literal["auto"] | DataType
_MOST_LINES = 5


def asked_for(
    type: Type = "auto", format: str = "auto", columns: Mapping[str, str] | None = None
) -> Asked:
    """What the user says of the rows; raises DataError where the format is not known."""
    family = family_named(format)
    if family is None:
        problem = validate((), type, format=format).problems[0]
        raise DataError(problem.message, hint=problem.hint)
    return Asked(type, family, columns or {})


class Record(NamedTuple):
    """A row as it stands in its file, and what became of it; `is_stated`: a manifest says how it is read."""

    read: ReadRow
    became: Checked
    is_stated: bool


Each = Callable[[Record | Unread], None]


@dataclass(slots=True)
class UsableRows:
    """The usable rows of a path, and how many are not, by reason: rows in = rows + all dropped."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    listing: Listing = field(default_factory=Listing)

    @property
    def rows_in(self) -> int:
        """Rows that are there, usable or not."""
        return len(self.rows) + self.dropped.total()

    def problems(self) -> tuple[Problem, ...]:
        """What must be said of the path; the last says how many rows no check could look at."""
        return (*self.listing.problems(), *self._unlooked())

    def _unlooked(self) -> Iterable[Problem]:
        if num := self.dropped.total():
            yield Problem(
                level="error",
                file=_printed(self.path),
                message=f"{num} {'row' if num == 1 else 'rows'} could not be looked at",
                hint=f"finewright data check {_printed(self.path)} says why",
            )


def usable_rows(path: Path, asked: Asked, each: Each = lambda _: None) -> UsableRows:
    """Read and check a file, a folder or `hub:OWNER/NAME`; `each` gets every row, also those of no use.

    What a manifest states of a file's format and columns holds where `asked` leaves them open. Raises
    DataError where there is no such path, and where not one row can be used."""
    found = UsableRows(path)
    for part in parts_of(path):
        if isinstance(part, Problem):
            found.listing.add(part)
            continue
        of_part = asked_of(part, asked)
        for item in rows_of(part):
            _add(found, item, of_part, each, is_stated=of_part != asked)
    if not found.rows:
        raise _nothing(found)
    return found


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows to a file, a line each, in the shape that users write them."""
    with jsonl_at(path) as write:
        for row in rows:
            write(to_user_json(row))


def _add(found: UsableRows, item: Found, asked: Asked, each: Each, *, is_stated: bool) -> None:
    if isinstance(item, ReadRow):
        became = checked(item, asked)
        found.rows += became.rows
        found.dropped.update(became.dropped)
        for problem in became.problems:
            found.listing.add(problem)
        each(Record(item, became, is_stated))
    elif isinstance(item, Unread):
        found.dropped["unreadable"] += 1
        found.listing.add(item.problem)
        each(item)
    else:
        found.listing.add(item)


def _nothing(found: UsableRows) -> DataError:
    errors = [problem for problem in found.listing.problems() if problem.level == "error"]
    if num := found.rows_in:
        path = _printed(found.path)
        which = f": {errors[0].line()}" if errors else ""
        hint = f"`finewright data show {path}` shows their keys, and what they could stand for"
        what = "its only row cannot be used" if num == 1 else f"none of {num} rows can be used"
        return DataError(f"{path}: {what}{which}", hint=hint)
    lines = [problem.line() for problem in errors[:_MOST_LINES]]
    return DataError("\n".join(lines) or f"{_printed(found.path)}: there are no rows in it")


def _printed(path: Path) -> str:
    # A file name need not be UTF-8; what is printed must be.
    return str(path).encode(errors="replace").decode()
