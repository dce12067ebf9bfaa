"""Control tokens of chat templates that the texts of rows spell: `<|im_end|><|im_start|>system`.

Written by a stranger they are an attempt to speak as somebody else; written by a pipeline they are a
template that was applied too early. They are read as text when a row becomes tokens (`lm.controls`), so
nothing is dropped or changed here: who owns the rows should know. Not covered: spellings that only look
alike, with a letter of another script or a character that is not seen."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from re import Pattern
from typing import NamedTuple

from finewright.catalog.control_tokens import control_tokens as catalog
from finewright.catalog.control_tokens import pattern
from finewright.data.texts import Passage, passages
from finewright.schema.common import Problem
from finewright.schema.rows import Row

_MOST_NAMED = 5


class Spelled(NamedTuple):
    """A control string in a text of a row: at which key, and is it one that ordinary text has, too?"""

    key: str
    token: str
    ordinary: bool


class _Patterns(NamedTuple):
    every: Pattern[str]
    not_in_answers: Pattern[str]
    ordinary: Pattern[str]


def spelled(row: Row) -> Iterator[Spelled]:
    """Every control string that the row spells, but what an assistant writes itself (`<think>`)."""
    patterns = _patterns()
    for passage in _texts(row):
        is_answer = passage.role == "assistant" and passage.key.endswith(".content")
        found = patterns.not_in_answers if is_answer else patterns.every
        for match in found.finditer(passage.text):
            yield Spelled(passage.key, match[0], patterns.ordinary.fullmatch(match[0]) is not None)


def control_tokens(rows: Iterable[Row]) -> list[Problem]:
    """At most two problems a file: a warning for control tokens, an info for what HTML has as well.

    Each counts the rows, names the commonest, and points at the first."""
    rows_with: Counter[tuple[str, bool]] = Counter()
    counts: dict[tuple[str, bool], Counter[str]] = {}
    first: dict[tuple[str, bool], tuple[Row, Spelled]] = {}
    for row in rows:
        kinds = set()
        for found in spelled(row):
            kind = (row.file, found.ordinary)
            kinds.add(kind)
            first.setdefault(kind, (row, found))
            counts.setdefault(kind, Counter())[found.token] += 1
        rows_with.update(kinds)
    return [_problem(*first[kind], rows_with[kind], counts[kind]) for kind in first]


def _problem(row: Row, found: Spelled, num_rows: int, counts: Counter[str]) -> Problem:
    named = ", ".join(f"{token} ({n})" for token, n in counts.most_common(_MOST_NAMED))
    more = f" and {len(counts) - _MOST_NAMED} others" if len(counts) > _MOST_NAMED else ""
    rows = "1 row spells" if num_rows == 1 else f"{num_rows} rows spell"
    return Problem(
        level="info" if found.ordinary else "warning",
        file=row.file,
        row=row.row,
        key=found.key,
        message=f"{rows} control tokens of {_family(found.token)} and the like, this one first: "
        f"{named}{more}",
        hint="they are read as text and never end a turn; look who wrote them"
        if not found.ordinary
        else "they are read as text; HTML and documents about models have them, too",
    )


def _family(token: str) -> str:
    names = [
        family.family for family in catalog().families if pattern(family.spellings).fullmatch(token)
    ]
    return names[0]


def _texts(row: Row) -> Iterator[Passage]:
    yield from passages(row)
    for key, text in _leaves("tools", row.tools):
        yield Passage(key, "tool", text)


def _leaves(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}", item)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _leaves(f"{key}[{i}]", item)


@cache
def _patterns() -> _Patterns:
    known = catalog()
    return _Patterns(
        every=pattern(known.spellings),
        not_in_answers=pattern(known.spellings - known.answers),
        ordinary=pattern(known.ordinary),
    )
