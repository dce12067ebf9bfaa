"""The columns that the user has named: `{our key: the file's own}`, taken before the format is told.

What is no column of the row may be a walk to what lies inside one: see `walks`."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from finewright.errors import DataError
from finewright.rows.formats.native import KeyPlace
from finewright.rows.formats.walks import is_walk, messages_in, walk_named
from finewright.rows.notes import Json, RowNotes

_ANSWERS = ("completion", "output")
_MESSAGES = "messages"
# What a row may lack, as one that has nothing to say there.
_OPTIONAL = frozenset(("input", "history", "system", "tools"))


def renamed(data: Json, columns: Mapping[str, str], notes: RowNotes) -> Json:
    """The row under our keys. A column that bears our name already changes places with the named one.

    A column that is not there is an error, told with the one that is meant, unless a row may lack it. A whole
    number or a boolean that is named as an answer is its text: classes are often numbered."""
    row = dict(data)
    walked: Json = {}
    for ours, theirs in columns.items():
        if theirs not in data and is_walk(theirs):
            _walk(data, ours, theirs, row, walked, notes)
        elif theirs not in data:
            if ours in _OPTIONAL:
                continue
            what = f"there is no such column, and `columns` takes it for `{ours}`"
            notes.error(theirs, what, _hint(theirs, data))
        elif ours != theirs:
            row.pop(theirs, None)
            row[ours] = _as_ours(ours, data[theirs])
            if ours in data and ours not in columns.values():
                row[theirs] = data[ours]
    return {**row, **walked}


def has_column(data: Json, theirs: str) -> bool:
    """Has the row the column, or anything where the walk leads?"""
    if theirs in data or not is_walk(theirs):
        return theirs in data
    try:
        return walk_named(theirs).of(data) is not None
    except DataError:
        return False


def _walk(data: Json, ours: str, theirs: str, row: Json, walked: Json, notes: RowNotes) -> None:
    """Take what the walk leads to; the keys that it begins at are used by it, and no columns of the row."""
    try:
        walk = walk_named(theirs)
        value = walk.turns_of(data) if ours == _MESSAGES else walk.of(data)
        if value is None and ours not in _OPTIONAL:
            raise DataError(f"it leads to nothing, and `columns` takes it for `{ours}`")
        if value is not None:
            walked[ours] = messages_in(value) if ours == _MESSAGES else _as_ours(ours, value)
    except DataError as error:
        notes.error(theirs, str(error), error.hint or _hint(theirs, data))
        return
    for key in walk.roots:
        row.pop(key, None)


def _as_ours(ours: str, value: Any) -> Any:  # Any: free JSON
    if ours == _MESSAGES and isinstance(value, list) and value and isinstance(value[0], str):
        return messages_in(value)
    return json.dumps(value) if ours in _ANSWERS and isinstance(value, int) else value


def places(columns: Mapping[str, str]) -> dict[str, KeyPlace]:
    """Where our keys stand in the file, to name a mistake by the file's own key."""
    return {ours: KeyPlace(theirs) for ours, theirs in columns.items() if ours != theirs}


def _hint(named: str, data: Json) -> str:
    if close := difflib.get_close_matches(named, data, n=1):
        return f"did you mean {close[0]!r}?"
    found = ", ".join(f"`{key}`" for key in list(data)[:8]) or "none"
    return f"the row has: {found}; where its file has other columns, make it a source of its own"
