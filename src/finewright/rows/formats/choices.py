"""What belongs to a question and no column can hold: its choices, and the passages it is about."""

import re
from collections.abc import Iterable

_CHOICES = ("choices", "options", "candidates", "endings", "alternatives")
# `A`, `option_b`, `choice 1`, medmcqa's `opa`
_ONE_OF_THEM = re.compile(r"(?:(?:option|choice|ending|op)[ _-]?)?[a-e0-5]", re.IGNORECASE)
_HELD = ("a list", "an object", "objects", "text", "word", "mark")
_PASSAGES = ("context", "contexts", "passages", "documents", "paragraphs", "evidence", "facts")


def choices_in(kinds: Iterable[tuple[str, str]]) -> list[str]:
    """The columns that hold the choices of a question: a list, an object or a text of them, or each one."""
    filled = [(key, kind) for key, kind in kinds if kind not in ("null", "blank")]
    whole = [key for key, kind in filled if key in _CHOICES and kind in _HELD]
    single = [key for key, _ in filled if _ONE_OF_THEM.fullmatch(key)]
    return whole or (single if 1 < len(single) < len(filled) else [])


def passages_in(kinds: Iterable[tuple[str, str]]) -> list[str]:
    """The columns that hold several passages, in a list or an object."""
    several = ("a list", "an object", "objects")
    return [key for key, kind in kinds if key in _PASSAGES and kind in several]
