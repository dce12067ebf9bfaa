"""Typed conversations out of JSON rows; every mistake is named with its row, key and mend."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from finewright.data.conversations import conversations_of
from finewright.data.identity import named_anew
from finewright.data.messages import checked_tools
from finewright.data.notes import Json, Notes
from finewright.data.read import ReadRow, listed
from finewright.data.shapes import columns_of, shape_of
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataType
from finewright.schema.rows import Row


class Validated(NamedTuple):
    """The usable rows, what became of the others, which shapes they had, and what must be said."""

    rows: tuple[Row, ...]
    counts: RowCounts
    types: dict[DataType, int]
    problems: tuple[Problem, ...]


def validate(rows: Iterable[ReadRow], expected_type: Literal["auto"] | DataType) -> Validated:
    """Check rows and bring them into message form; a row with an error is counted and left out.

    Exact repeats are kept. Keys beside the ones of the shape, such as `meta`, become columns."""
    usable: list[Row] = []
    problems: list[Problem] = []
    types: Counter[DataType] = Counter()
    num_rows = 0
    for row in rows:
        num_rows += 1
        notes = Notes(row.file, row.row)
        shape = shape_of(row.data, expected_type, notes)
        usable_row = _row(row.data, shape, notes) if shape else None
        problems += notes.problems
        if shape and usable_row:
            types[shape] += 1
            usable.append(usable_row)
    dropped = num_rows - len(usable)
    counts = RowCounts(
        rows_in=num_rows,
        rows_kept=len(usable),
        rows_dropped={"invalid": dropped} if dropped else {},
    )
    problems += _repeats(usable)
    return Validated(tuple(usable), counts, dict(types), listed(problems))


def _row(data: Json, shape: DataType, notes: Notes) -> Row | None:
    found = conversations_of(data, shape, notes)
    tools = checked_tools(data, notes)
    if notes.has_error:
        return None
    messages, rejected = (
        tuple(turn.message for turn in turns) if turns is not None else None
        for turns in (found.turns, found.rejected)
    )
    return named_anew(
        Row(
            id="",
            messages=messages or (),
            tools=tools,
            file=notes.file,
            row=notes.row,
            rejected=rejected,
            label=found.label,
            columns=columns_of(data, shape),
        )
    )


def _repeats(rows: Sequence[Row]) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    repeats = [row for row in rows if first.setdefault(row.id, row) is not row]
    if repeats:
        row = repeats[0]
        source = first[row.id]
        many = f"{len(repeats)} rows repeat" if len(repeats) > 1 else "1 row repeats"
        yield Problem(
            level="warning",
            file=row.file,
            row=row.row,
            message=f"{many} an earlier row exactly, this one {source.file}:{source.row}",
            hint="repeats are kept, and weigh more; remove them unless you mean it",
        )
