"""Typed conversations out of JSON rows; every mistake is named with its row, key and mend."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from finewright.rows.conversations import conversations_of
from finewright.rows.formats.columns import places, renamed
from finewright.rows.formats.native import Form, Native, place_of
from finewright.rows.formats.table import family_named, meant_instead
from finewright.rows.identity import named_anew
from finewright.rows.messages import checked_tools
from finewright.rows.notes import Json, Notes
from finewright.rows.read import ReadRow
from finewright.rows.shapes import form_of
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataType
from finewright.schema.listing import listed
from finewright.schema.rows import Row

_MEDIA = ("images", "videos", "audios")


class Validated(NamedTuple):
    """The usable rows, what became of the others, which shapes they had, and what must be said."""

    rows: tuple[Row, ...]
    counts: RowCounts
    types: dict[DataType, int]
    problems: tuple[Problem, ...]


class Asked(NamedTuple):
    """What the spec says of a source's rows: their type, their family, how their columns are named."""

    type: Literal["auto"] | DataType = "auto"
    family: str = "auto"
    columns: Mapping[str, str] = {}


class Checked(NamedTuple):
    """What one row became: usable rows with their types, and how many were dropped for which reason."""

    rows: tuple[Row, ...]
    types: tuple[DataType, ...]
    dropped: Mapping[str, int]
    form: Form | None
    problems: tuple[Problem, ...]


def validate(
    rows: Iterable[ReadRow],
    expected_type: Literal["auto"] | DataType,
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
) -> Validated:
    """Check rows and bring them into message form; a row with an error is counted and left out.

    A row that holds several, as a ranked tree does, counts as so many. Exact repeats are kept. Keys
    beside the ones of the format, such as `meta`, become columns. A format that is not known is one
    problem, and then no row is usable."""
    family = family_named(format)
    if family is None:
        return _unknown_format(rows, format)
    asked = Asked(expected_type, family, columns or {})
    usable: list[Row] = []
    problems: list[Problem] = []
    types: Counter[DataType] = Counter()
    dropped: Counter[str] = Counter()
    for row in rows:
        found = checked(row, asked)
        usable += found.rows
        problems += found.problems
        types.update(found.types)
        dropped.update(found.dropped)
    counts = RowCounts(
        rows_in=len(usable) + dropped.total(),
        rows_kept=len(usable),
        rows_dropped=dict(dropped),
    )
    problems += _repeats(usable)
    return Validated(tuple(usable), counts, dict(types), listed(problems))


def checked(row: ReadRow, asked: Asked) -> Checked:
    """What becomes of one row; the same as `validate` makes of it, but for repeats, which need all."""
    notes = Notes(row.file, row.row)
    data = renamed(row.data, asked.columns, notes) if asked.columns else row.data
    form = None if notes.has_error else form_of(data, asked.family, asked.type, notes)
    found: list[Native] = []
    if form:
        _refuse_media(data, notes)
        found = list(form.convert(data, asked.type, notes))
    if notes.has_error or not found:
        problems = _at_home(notes.problems, asked.columns)
        reason = "invalid" if notes.has_error else "no_pair"
        return Checked((), (), {reason: 1}, form, problems)
    usable: list[Row] = []
    types: list[DataType] = []
    problems_of_rows: list[Problem] = notes.problems
    for native in found:
        inner = Notes(row.file, row.row)
        made = _row(native, inner)
        if native.places:
            inner.problems = [
                p.model_copy(update={"key": place_of(p.key, native.places)}) for p in inner.problems
            ]
        problems_of_rows += inner.problems
        if made:
            usable.append(made)
            types.append(native.type)
    num_wrong = len(found) - len(usable)
    return Checked(
        tuple(usable),
        tuple(types),
        {"invalid": num_wrong} if num_wrong else {},
        form,
        _at_home(problems_of_rows, asked.columns),
    )


def _at_home(problems: Sequence[Problem], columns: Mapping[str, str]) -> tuple[Problem, ...]:
    """The problems by the keys that the file has."""
    if not columns or not problems:
        return tuple(problems)
    named = places(columns)
    return tuple(p.model_copy(update={"key": place_of(p.key, named)}) for p in problems)


def _refuse_media(data: Json, notes: Notes) -> None:
    for key in _MEDIA:
        if data.get(key):
            what = f"the row has {key}, and only text is trained"
            notes.error(key, what, "leave the row out, or say in words what is to be seen or heard")


def _row(native: Native, notes: Notes) -> Row | None:
    found = conversations_of(native.data, native.type, notes)
    tools = checked_tools(native.data, notes)
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
            columns=native.columns,
        )
    )


def _unknown_format(rows: Iterable[ReadRow], name: str) -> Validated:
    num_rows = sum(1 for _ in rows)
    problem = Problem(
        level="error", key="format", message=f"unknown format {name!r}", hint=meant_instead(name)
    )
    counts = RowCounts(
        rows_in=num_rows, rows_kept=0, rows_dropped={"invalid": num_rows} if num_rows else {}
    )
    return Validated((), counts, {}, (problem,))


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
