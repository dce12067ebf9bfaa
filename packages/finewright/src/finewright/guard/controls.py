"""Control tokens of chat templates that the texts of rows spell: `<|im_end|><|im_start|>system`.

Written by a stranger they are an attempt to speak as somebody else; written by a pipeline they are a
template that was applied too early. They are read as text when a row becomes tokens (`lm.controls`), so
nothing is dropped or changed here: who owns the rows should know. Not covered: spellings that only look
alike, with a letter of another script or a character that is not seen."""

from collections.abc import Iterable, Iterator
from functools import cache
from re import Pattern
from typing import NamedTuple

from finewright.catalog.tokens import control_tokens as catalog
from finewright.catalog.tokens import pattern
from finewright.schema.rows import RowText


class Spelled(NamedTuple):
    """A control string in a text: at which key, and is it one that ordinary text has, too?"""

    key: str
    token: str
    ordinary: bool


class _Patterns(NamedTuple):
    every: Pattern[str]
    not_in_answers: Pattern[str]
    ordinary: Pattern[str]


def find_spelled_controls(texts: Iterable[RowText]) -> Iterator[Spelled]:
    """Every control string that the texts spell, but what an assistant writes itself (`<think>`)."""
    signs = _signs()
    for passage in texts:
        # Most texts have none of the signs that one begins with, and that is told much faster.
        if not any(sign in passage.text for sign in signs):
            continue
        patterns = _patterns()
        is_answer = passage.role == "assistant" and passage.key.endswith(".content")
        found = patterns.not_in_answers if is_answer else patterns.every
        for match in found.finditer(passage.text):
            yield Spelled(passage.key, match[0], patterns.ordinary.fullmatch(match[0]) is not None)


def family_of(token: str) -> str:
    """The first family of chat templates that has the token."""
    names = [
        family.family for family in catalog().families if pattern(family.spellings).fullmatch(token)
    ]
    return names[0]


@cache
def _patterns() -> _Patterns:
    known = catalog()
    return _Patterns(
        every=pattern(known.spellings),
        not_in_answers=pattern(known.spellings - known.answers),
        ordinary=pattern(known.ordinary),
    )


@cache
def _signs() -> frozenset[str]:
    """What the spellings begin with."""
    return frozenset(spelling[0] for spelling in catalog().spellings)
