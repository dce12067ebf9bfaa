"""Rows in memory as the reader of files would take them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from finewright.data.row_warnings import ExactRepeats
from finewright.rows.containers.found import ReadRow
from finewright.rows.fates import ReadOptions, UsableRows, fate_of, unknown_format
from finewright.rows.formats.native import Expected
from finewright.rows.formats.table import family_named
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
    found, repeats = UsableRows(), ExactRepeats()
    options = ReadOptions(expected_type, family or "auto", columns or {})
    for row in rows:
        if family is None:
            found.tally.dropped["invalid"] += 1
            continue
        fate = fate_of(row, options)
        found.add(fate)
        repeats.add(fate.rows)
    for problem in repeats.problems() if family else [unknown_format(format)]:
        found.tally.listing.add(problem)
    tally = found.tally
    return Validated(tuple(found.rows), tally.counts(), dict(tally.types), tally.listing.problems())
