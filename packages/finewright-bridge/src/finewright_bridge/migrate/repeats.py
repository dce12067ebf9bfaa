"""Recorded answers to a prompt that was there before: which rows they are, and where they contradict."""

from collections.abc import Iterator
from pathlib import Path

from finewright.data.validate import read_validated
from finewright.rows.identity import prompt_key, with_expected
from finewright.schema.common import Problem
from finewright.schema.listing import listed
from finewright.schema.rows import Row
from finewright_bridge.migrate.golden_rows import text_of, whole


def repeats(path: Path) -> tuple[Problem, ...]:
    """A warning for each of the first rows whose prompt an earlier row of the file has, and how many more.

    It says the earlier row, whose answer is the one that is kept, and whether the two answers contradict."""
    checked = read_validated(path, change=whole)
    return listed(_repeated([row for row in map(with_expected, checked.rows) if row]))


def _repeated(rows: list[Row]) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    for row in rows:
        if not _answer(row):
            continue  # nothing, which is no golden row and counted as such
        kept = first.setdefault(prompt_key(row), row)
        if kept is row:
            continue
        same = _answer(kept) == _answer(row)
        says = "is the same" if same else "contradicts it"
        yield Problem(
            level="warning",
            file=row.file,
            row=row.row,
            message=f"asks the same as row {kept.row}, whose answer is kept; this one {says}: left out",
            hint="" if same else "keep the row that is right",
        )


def _answer(row: Row) -> str:
    return text_of(row.answer or {}).strip()
