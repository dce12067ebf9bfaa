"""Control tokens of chat templates that the texts of rows spell: `<|im_end|><|im_start|>system`.

Written by a stranger they are an attempt to speak as somebody else; written by a pipeline they are a
template that was applied too early. They are read as text when a row becomes tokens (`lm.controls`), so
nothing is dropped or changed here: who owns the rows should know. Not covered: spellings that only look
alike, with a letter of another script or a character that is not seen."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from re import Pattern
from typing import Any, NamedTuple

from finewright.catalog.control_tokens import control_tokens as catalog
from finewright.catalog.control_tokens import pattern
from finewright.rows.first_rows import FirstRow, FirstRows
from finewright.rows.texts import Passage, leaves, passages
from finewright.schema.common import Problem
from finewright.schema.rows import Row

_MOST_NAMED = 5


class Spelled(NamedTuple):
    """A control string in a text of a row: at which key, and is it one that ordinary text has, too?"""

    key: str
    token: str
    ordinary: bool

    @property
    def kind(self) -> str:
        """Strings of one kind are told of together."""
        return "ordinary" if self.ordinary else "control"


class _Patterns(NamedTuple):
    every: Pattern[str]
    not_in_answers: Pattern[str]
    ordinary: Pattern[str]
    begin_with: frozenset[str]


def spelled(row: Row) -> Iterator[Spelled]:
    """Every control string that the row spells, but what an assistant writes itself (`<think>`)."""
    patterns = _patterns()
    for passage in _texts(row):
        # Most texts have none of the signs that one begins with, and that is told much faster.
        if not any(sign in passage.text for sign in patterns.begin_with):
            continue
        is_answer = passage.role == "assistant" and passage.key.endswith(".content")
        found = patterns.not_in_answers if is_answer else patterns.every
        for match in found.finditer(passage.text):
            yield Spelled(passage.key, match[0], patterns.ordinary.fullmatch(match[0]) is not None)


def control_tokens(rows: Iterable[Row]) -> list[Problem]:
    """At most two problems a file: a warning for control tokens, an info for what HTML has as well.

    Each counts the rows, names the commonest, and points at the first."""
    seen = ControlTokens()
    for row in rows:
        seen.add(row)
    return seen.problems()


@dataclass(slots=True)
class ControlTokens:
    """The control tokens of the rows so far; memory grows with files and tokens, not with rows."""

    seen: FirstRows[Spelled] = field(default_factory=FirstRows)
    tokens: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Look at one more row."""
        found = list(spelled(row))
        self.seen.add(row, found)
        for each in found:
            self.tokens.setdefault((row.file, each.kind), Counter())[each.token] += 1

    def to_json(self) -> dict[str, Any]:  # Any: free JSON
        """What was seen, as it comes from another process."""
        tokens = [[*place, dict(counts)] for place, counts in self.tokens.items()]
        return {"seen": self.seen.to_json(), "tokens": tokens}

    def join(self, later: Mapping[str, Any]) -> None:  # Any: free JSON
        """Add what `to_json` says of rows that come after."""
        self.seen.join(
            FirstRow(file, row, Spelled(*first), num) for file, row, first, num in later["seen"]
        )
        for file, kind, counts in later["tokens"]:
            self.tokens.setdefault((file, kind), Counter()).update(counts)

    def problems(self) -> list[Problem]:
        """What `control_tokens` says of the same rows."""
        return [_problem(each, self.tokens[each.file, each.first.kind]) for each in self.seen]


def _problem(seen: FirstRow[Spelled], counts: Counter[str]) -> Problem:
    named = ", ".join(f"{token} ({n})" for token, n in counts.most_common(_MOST_NAMED))
    more = f" and {len(counts) - _MOST_NAMED} others" if len(counts) > _MOST_NAMED else ""
    rows = "1 row spells" if seen.num_rows == 1 else f"{seen.num_rows} rows spell"
    ordinary = seen.first.ordinary
    return Problem(
        level="info" if ordinary else "warning",
        file=seen.file,
        row=seen.row,
        key=seen.first.key,
        message=f"{rows} control tokens of {_family(seen.first.token)} and the like, this one first: "
        f"{named}{more}",
        hint="they are read as text and never end a turn; look who wrote them"
        if not ordinary
        else "they are read as text; HTML and documents about models have them, too",
    )


def _family(token: str) -> str:
    names = [
        family.family for family in catalog().families if pattern(family.spellings).fullmatch(token)
    ]
    return names[0]


def _texts(row: Row) -> Iterator[Passage]:
    yield from passages(row)
    for key, text in leaves("tools", row.tools):
        yield Passage(key, "tool", text)


@cache
def _patterns() -> _Patterns:
    known = catalog()
    return _Patterns(
        every=pattern(known.spellings),
        not_in_answers=pattern(known.spellings - known.answers),
        ordinary=pattern(known.ordinary),
        begin_with=frozenset(spelling[0] for spelling in known.spellings),
    )
