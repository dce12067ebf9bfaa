"""The usable rows of a file, or of what was read already, with all that must be said of them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from finewright.data.row_warnings import ExactRepeats
from finewright.rows.containers.found import ReadRow, Unread
from finewright.rows.containers.stream import check_encoding
from finewright.rows.fates import ReadOptions, RowFate, fate_of, fates, fates_in, unknown_format
from finewright.rows.formats.native import Expected, family_named
from finewright.rows.tally import UsableRows
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataType
from finewright.schema.rows import Row


class Validated(NamedTuple):
    """The usable rows, what became of the others, which shapes they had, and what must be said."""

    rows: tuple[Row, ...]
    counts: RowCounts
    types: dict[DataType, int]
    problems: tuple[Problem, ...]


def validate(
    rows: Iterable[ReadRow],
    expected_type: Expected,
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
) -> Validated:
    """Check rows and bring them into message form; a row with an error is counted and left out.

    A row that holds several, as a ranked tree does, counts as so many. Exact repeats are kept, with a
    warning. A format that is not known is one problem, and then no row is usable."""
    family = family_named(format)
    if family is None:
        return _validate_items([unknown_format(format)], num_invalid=sum(1 for _ in rows))
    return _validate_items(fates_in(rows, ReadOptions(expected_type, family, columns or {})))


def read_validated(
    path: Path,
    expected_type: Expected = "auto",
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    encoding: str = "",
    change: Callable[[ReadRow], ReadRow] = lambda row: row,
) -> Validated:
    """The same for all rows of a file, a folder or `hub:OWNER/NAME`, each after a `change`.

    What a manifest states of a file's format and columns holds where they are left open here. Raises
    DataError for an encoding that is not known, and where there is no such path."""
    family = family_named(format)
    if family is None:
        return _validate_items([unknown_format(format)])

    def judge(found: ReadRow | Unread, options: ReadOptions) -> RowFate:
        return fate_of(found if isinstance(found, Unread) else change(found), options)

    check_encoding(encoding)
    options = ReadOptions(expected_type, family, columns or {}, encoding=encoding)
    return _validate_items(fates(path, options, judge))


def _validate_items(items: Iterable[RowFate | Problem], num_invalid: int = 0) -> Validated:
    found, repeats = UsableRows(), ExactRepeats()
    tally = found.tally
    tally.dropped.update({"invalid": num_invalid} if num_invalid else {})
    for item in items:
        found.add(item)
        if isinstance(item, RowFate):
            repeats.add(item.rows)
    for problem in repeats.problems():
        tally.add(problem)
    return Validated(tuple(found.rows), tally.counts(), dict(tally.types), tally.problems())
