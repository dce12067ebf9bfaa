"""A foreign row as one of ours, and where each of its parts stood in what the user wrote; all
forms of all families, and which of them a row's keys can be."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, Required, TypedDict, Unpack

from finewright import plugins
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


Convert = Callable[[Json, Expected, RowNotes], Iterable[Native]]
Fits = Callable[[Json, Expected], bool]


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
    convert: Convert
    fits: Fits = lambda data, expected: True
    weak: int = 0
    is_close: bool = False
    yields_to: frozenset[str] = frozenset()


class _Said(TypedDict, total=False):
    why: Required[str]
    mark: str
    weak: int
    is_close: bool
    yields_to: str


def form(
    family: str,
    keys: str,
    types: tuple[DataType, ...],
    convert: Convert,
    fits: Fits = lambda data, expected: True,
    **said: Unpack[_Said],
) -> Form:
    """A form by its keys, as a row of a table has it; where no mark is given, its keys are its mark."""
    names = keys.split()
    return Form(
        family,
        frozenset(names),
        types,
        said.get("mark") or _mark_of(names),
        said["why"],
        convert,
        fits,
        said.get("weak", 0),
        said.get("is_close", False),
        frozenset(said.get("yields_to", "").split()),
    )


def _mark_of(keys: Sequence[str]) -> str:
    first, *others = (f"`{key}`" for key in keys)
    return f"{first} with {' and '.join(others)}" if others else first


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


_CLOSE = 0.85


@cache
def forms() -> tuple[Form, ...]:
    """Every form of every format, those that are built in first."""
    return tuple(
        form for name in plugins.list_names("format") for form in plugins.resolve("format", name)
    )


@cache
def families() -> tuple[str, ...]:
    """The names that a format may be asked for by."""
    return tuple(dict.fromkeys(form.family for form in forms()))


def family_named(name: str) -> str | None:
    """The family of that name, however it is written (`ms-swift`, `MS_Swift`); None if there is none."""
    spelled = name.strip().lower().replace("-", "_").replace(" ", "_")
    return spelled if spelled in (*families(), "auto") else _OTHER_NAMES.get(spelled)


def suggest_format(name: str) -> str:
    """What to do about a name that is no family's."""
    known = [*families(), "auto"]
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"the formats are {', '.join(known)}"


_OTHER_NAMES = {
    "chat": "openai",
    "messages": "openai",
    "together": "openai",
    "swift": "ms_swift",
    "msswift": "ms_swift",
    "hh": "hh_rlhf",
    "oasst": "tree",
    "vertex": "gemini",
    "kto": "unpaired_preference",
    "dpo": "preference",
}


class Misspelled(NamedTuple):
    """A key of the row, and the key of a format that is meant by it."""

    key: str
    meant: str


def find_misspelled(data: Json) -> Misspelled | None:
    """The key that is nearly the one which the row lacks to be of a known format; None if there is none.

    Not a guess at what other keys stand for, nor at another case: see `propose`."""
    return _find_misspelled(tuple(data))


@lru_cache(maxsize=4096)
def _find_misspelled(keys: tuple[str, ...]) -> Misspelled | None:
    known = {key for form in forms() for key in form.keys}
    free = {key.lower(): key for key in keys if key not in known and key.lower() not in known}
    for form in forms():
        missing = form.keys.difference(keys)
        if len(missing) == 1 < len(form.keys) and form.types:
            [meant] = missing
            if close := difflib.get_close_matches(meant, free, n=1, cutoff=_CLOSE):
                return Misspelled(free[close[0]], meant)
    return None


def fitting(data: Json, family: str, expected: Expected) -> list[Form]:
    """The forms that the row can be meant as; of forms whose keys another one has too, the fuller.

    More than one: nobody can tell. None: the format is not known, or not of the expected type."""
    found = [
        form
        for form in _forms_of_family(tuple(data), family)
        if (expected == "auto" or expected in form.types) and form.fits(data, expected)
    ]
    return _fullest(found) if len(found) > 1 else found


def _fullest(found: Sequence[Form]) -> list[Form]:
    strong = min(form.weak for form in found)
    found = [form for form in found if form.weak == strong]
    return [form for form in found if not any(_is_fuller(other, form) for other in found)]


@lru_cache(maxsize=4096)
def _forms_of_family(keys: tuple[str, ...], family: str) -> Sequence[Form]:
    named = set(keys)
    return [
        form
        for form in forms()
        if form.keys <= named
        and (form.family == family or (family == "auto" and form.yields_to.isdisjoint(named)))
    ]


def _is_fuller(one: Form, other: Form) -> bool:
    """Whether it has all keys of the other, and more, or looks at the same keys more closely."""
    return one.keys > other.keys or (one.keys == other.keys and one.is_close and not other.is_close)
