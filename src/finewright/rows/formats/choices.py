"""What belongs to a question and no column can hold: its choices, and the passages it is about."""

import re
from collections.abc import Iterable

from finewright.rows.notes import Json

_CHOICES = ("choices", "options", "candidates", "endings", "alternatives")
# `A`, `option_b`, `choice 1`, medmcqa's `opa`
_ONE_OF_THEM = re.compile(r"(?:(?:option|choice|ending|op)[ _-]?)?[a-e0-5]", re.IGNORECASE)
# Beside names of one letter or digit, to know them from the columns of a table without a header.
_QUESTION = re.compile(
    r"question|query|prompt|problem|instruction|sentence|stem|frage|pregunta|domanda|вопрос|问题|質問",
    re.IGNORECASE,
)
_IN_ORDER = ("abcde", "012345", "12345")
_SEVERAL = re.compile(r"\S[\s,;|/\u3001\uff0c\uff1b]+\S")
_PASSAGES = ("context", "contexts", "passages", "documents", "paragraphs")


def choices_in(data: Json) -> list[str]:
    """The columns that hold the choices of a question: a list, an object or a text of them, or each one."""
    filled = [k for k, value in data.items() if value is not None and str(value).strip()]
    whole = [key for key in filled if key in _CHOICES and _are_several(data[key])]
    single = [key for key in filled if _ONE_OF_THEM.fullmatch(key)]
    is_choice = 1 < len(single) < len(filled) and _are_named(single, filled)
    return whole or (single if is_choice else [])


def is_apart(data: Json) -> bool:
    """Does a part of the question, choices or several passages, stand where no column can be put into it?"""
    passages = (key for key in data if key in _PASSAGES and isinstance(data[key], (list, dict)))
    return bool(choices_in(data)) or any(passages)


def _are_several(value: object) -> bool:
    """Several choices, and not a setting such as `fast` or {"temperature": 0.7}."""
    if isinstance(value, dict):
        return len(value) > 1 and all(isinstance(held, (str, list)) for held in value.values())
    return isinstance(value, list) or (isinstance(value, str) and bool(_SEVERAL.search(value)))


def _are_named(single: Iterable[str], keys: Iterable[str]) -> bool:
    """Do their names say that they are choices? `A` and `B` do beside a question, from the first one on."""
    bare = "".join(sorted(key.casefold() for key in single if len(key) == 1))
    is_named = any(map(_QUESTION.search, keys)) and any(run.startswith(bare) for run in _IN_ORDER)
    return not bare or is_named
