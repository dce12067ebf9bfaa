"""A foreign row as one of ours, and where each of its parts stood in what the user wrote."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from finewright.rows.notes import Json, RowNotes
from finewright.schema.common import without
from finewright.schema.data import DataType

Expected = Literal["auto"] | DataType


class KeyPlace(NamedTuple):
    """A key of the user's row, and what the parts of a message are called there (empty: the key itself)."""

    key: str
    parts: Mapping[str, str] = {}


class Native(NamedTuple):
    """A row in one of our shapes; `places` says, for keys that are named otherwise, where they stood."""

    type: DataType
    data: Json
    columns: Json
    places: Mapping[str, KeyPlace] = {}


class Form(NamedTuple):
    """One form that rows of a family have: the keys it is known by, its types, and how it is ours.

    `mark` is how a message calls those keys. `fits` looks at values where keys do not tell enough; a form
    that `is_close` looks at them more closely than others of the same keys. A form that is `weak` counts
    only where no other fits; of two weak ones, the less weak. One without types is known and refused.
    Beside a key that a form `yields_to`, its own keys are but columns, unless the family is named."""

    family: str
    keys: frozenset[str]
    types: tuple[DataType, ...]
    mark: str
    why: str
    convert: Callable[[Json, Expected, RowNotes], Iterable[Native]]
    fits: Callable[[Json, Expected], bool] = lambda data, expected: True
    weak: int = 0
    is_close: bool = False
    yields_to: frozenset[str] = frozenset()


class KeyedValue(NamedTuple):
    """A value as it stands at a key of the user's row."""

    key: str
    value: Any  # Any: free JSON, which validation looks at


class KeyedMessage(NamedTuple):
    """A message, where it stood, and what its parts were called there."""

    key: str
    message: Any  # Any: free JSON, which validation looks at
    parts: Mapping[str, str] = {}


Side = Sequence[KeyedMessage] | KeyedValue

# The whole of a message is one text: its parts have no names of their own.
TEXT: Mapping[str, str] = {"role": "", "content": "", "weight": "", "tool_calls": ""}


def text(key: str, role: str, content: object) -> KeyedMessage:
    """A message that is one text of the user's row."""
    return KeyedMessage(key, {"role": role, "content": content}, TEXT)


def native(
    type: DataType,
    data: Json,
    sides: Mapping[str, Side],
    more: Mapping[str, KeyedValue] | None = None,
    used: Iterable[str] = (),
) -> Native:
    """Our row out of its conversations and of `more` (tools, label); keys that are not used are columns."""
    more = more or {}
    made: Json = {name: found.value for name, found in more.items()}
    places = {name: KeyPlace(found.key) for name, found in more.items() if found.key != name}
    gone = {"tools", *used, *(found.key for found in more.values())}
    for name, side in sides.items():
        if isinstance(side, KeyedValue):
            made[name] = side.value
            places[name] = KeyPlace(side.key)
            gone.add(_root(side.key))
            continue
        made[name] = [said.message for said in side]
        gone.update(_root(said.key) for said in side)
        places |= _places(name, side)
    columns = without(data, gone)
    return Native(type, made, columns, places)


def place_of(key: str, places: Mapping[str, KeyPlace]) -> str:
    """The user's own name of a key of our row."""
    head = key
    while head:
        if head in places:
            return _inside(places[head], key[len(head) :])
        head = head[: max(head.rfind("."), head.rfind("["), 0)]
    return key


def _inside(place: KeyPlace, rest: str) -> str:
    part = re.match(r"\.(\w+)", rest)
    if part is None or part[1] not in place.parts:
        return place.key + rest
    name = place.parts[part[1]]
    index = rest[part.end() :] if part[1] == "content" else ""
    return f"{place.key}.{name}{index}" if name else place.key + index


def _root(key: str) -> str:
    return re.split(r"[.\[]", key, maxsplit=1)[0]


def _places(name: str, side: Sequence[KeyedMessage]) -> dict[str, KeyPlace]:
    """Where the messages of a conversation stand in the row."""
    places = {f"{name}[{i}]": KeyPlace(said.key, said.parts) for i, said in enumerate(side)}
    return {name: KeyPlace(re.sub(r"\[\d+\]$", "", side[-1].key)), **places} if side else {}
