"""The columns that the user has named: `{our key: the file's own}`, taken before the format is told."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from finewright.rows.formats.native import KeyPlace
from finewright.rows.notes import Json, RowNotes

_ANSWERS = ("completion", "output")
# What a row may lack, as one that has nothing to say there.
_OPTIONAL = frozenset(("input", "history", "system", "tools"))


def renamed(data: Json, columns: Mapping[str, str], notes: RowNotes) -> Json:
    """The row under our keys. A column that bears our name already changes places with the named one.

    A column that is not there is an error, told with the one that is meant, unless a row may lack it. A whole
    number or a boolean that is named as an answer is its text: classes are often numbered."""
    row = dict(data)
    for ours, theirs in columns.items():
        if theirs not in data:
            if ours in _OPTIONAL:
                continue
            what = f"there is no such column, and `columns` takes it for `{ours}`"
            notes.error(theirs, what, _hint(theirs, data))
        elif ours != theirs:
            row.pop(theirs, None)
            row[ours] = _as_answer(data[theirs]) if ours in _ANSWERS else data[theirs]
            if ours in data and ours not in columns.values():
                row[theirs] = data[ours]
    return row


def _as_answer(value: Any) -> Any:  # Any: free JSON
    return json.dumps(value) if isinstance(value, int) else value


def places(columns: Mapping[str, str]) -> dict[str, KeyPlace]:
    """Where our keys stand in the file, to name a mistake by the file's own key."""
    return {ours: KeyPlace(theirs) for ours, theirs in columns.items() if ours != theirs}


def _hint(named: str, data: Json) -> str:
    if close := difflib.get_close_matches(named, data, n=1):
        return f"did you mean {close[0]!r}?"
    found = ", ".join(f"`{key}`" for key in list(data)[:8]) or "none"
    return f"the row has: {found}; where its file has other columns, make it a source of its own"
