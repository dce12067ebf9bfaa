"""All forms of all families, and which of them a row's keys can be: the one list of what is known."""

import difflib
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from finewright import plugins
from finewright.rows.formats.native import Expected, Form
from finewright.rows.notes import Json

_CLOSE = 0.85


@cache
def forms() -> tuple[Form, ...]:
    """Every form of every format, those that are built in first."""
    return tuple(
        form for name in plugins.listed("format") for form in plugins.resolve("format", name)
    )


@cache
def families() -> tuple[str, ...]:
    """The names that a format may be asked for by."""
    return tuple(dict.fromkeys(form.family for form in forms()))


def family_named(name: str) -> str | None:
    """The family of that name, however it is written (`ms-swift`, `MS_Swift`); None if there is none."""
    spelled = name.strip().lower().replace("-", "_").replace(" ", "_")
    return spelled if spelled in (*families(), "auto") else _OTHER_NAMES.get(spelled)


def meant_instead(name: str) -> str:
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


def misspelled(data: Json) -> Misspelled | None:
    """The key that is nearly the one which the row lacks to be of a known format; None if there is none.

    Not a guess at what other keys stand for, nor at another case: see `propose`."""
    return _misspelled(tuple(data))


@lru_cache(maxsize=4096)
def _misspelled(keys: tuple[str, ...]) -> Misspelled | None:
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
        for form in _known_by(tuple(data), family)
        if (expected == "auto" or expected in form.types) and form.fits(data, expected)
    ]
    return _fullest(found) if len(found) > 1 else found


def _fullest(found: Sequence[Form]) -> list[Form]:
    strong = min(form.weak for form in found)
    found = [form for form in found if form.weak == strong]
    return [form for form in found if not any(_is_fuller(other, form) for other in found)]


@lru_cache(maxsize=4096)
def _known_by(keys: tuple[str, ...], family: str) -> Sequence[Form]:
    named = set(keys)
    return [
        form
        for form in forms()
        if form.keys <= named
        and (form.family == family or (family == "auto" and form.yields_to.isdisjoint(named)))
    ]


def _is_fuller(one: Form, other: Form) -> bool:
    """Has it all keys of the other, and more, or looks at the same keys more closely?"""
    return one.keys > other.keys or (one.keys == other.keys and one.is_close and not other.is_close)
