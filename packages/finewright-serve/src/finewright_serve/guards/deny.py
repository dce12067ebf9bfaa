"""A guard of words and patterns that the operator forbids, matched in time that grows with the text alone.

Words are found in any case, also where hidden characters or look-alike letters are between and among them.
Patterns are regular expressions without look-around and back references. Not covered: other words that say
the same."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from finewright.errors import SpecError
from finewright.judge.patterns import Pattern, compile_pattern
from finewright.schema.common import Model, default
from finewright_serve.guards.guard import (
    BOTH_WAYS,
    Finding,
    GuardFolder,
    GuardPlugin,
    PlainGuard,
    TextPlace,
)
from finewright_serve.guards.plain_text import seen_through
from finewright_serve.guards.stretches import united

_WINDOW = 200
"""Characters that a match of a pattern may have in a stream without being cut by its release."""
_PARTS = re.compile(r"\w+|\s+|[^\w\s]")
Word = Annotated[str, Field(min_length=2, max_length=_WINDOW)]


class DenySettings(Model):
    """What is forbidden."""

    words: tuple[Word, ...] = default((), "Words and phrases, in any case", "patterns alone")
    patterns: tuple[str, ...] = default((), "Regular expressions", "words alone")

    @model_validator(mode="after")
    def _forbids_something(self) -> Self:
        if not self.words and not self.patterns:
            raise ValueError("neither words nor patterns are given, so nothing is forbidden")
        return self


class Deny(PlainGuard):
    """The guard."""

    window = _WINDOW

    def __init__(self, settings: DenySettings, folder: GuardFolder) -> None:
        """Raises SpecError for a pattern that cannot be matched in bounded time."""
        self._patterns = []
        for number, pattern in enumerate(settings.patterns):
            try:
                self._patterns.append(compile_pattern(pattern))
            except SpecError as error:
                raise SpecError(f"settings.patterns.{number}: {error}", hint=error.hint) from None
        words = sorted(settings.words, key=len, reverse=True)
        spelled = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
        self._words = re.compile(spelled, re.IGNORECASE) if words else None

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """Each word, and each match of a pattern, from word edge to word edge."""
        found = self._found(text)
        seen = seen_through(text)
        if seen.text != text:
            found += [seen.span(*span) for span in self._found(seen.text)]
        return [Finding(start, end, "denied") for start, end in united(found)]

    def _found(self, text: str) -> list[tuple[int, int]]:
        found = [match.span() for match in self._words.finditer(text)] if self._words else []
        for pattern in self._patterns:
            if pattern.is_in(text):
                found += _places(pattern, text)
        return found


def _places(pattern: Pattern, text: str) -> Iterator[tuple[int, int]]:
    """Where a pattern matches, between edges of words: the engine itself says no places.

    The shortest beginning of the text that matches ends where the first match does, and the shortest end of
    that begins where it begins. A pattern that only the end of a text makes match has found the rest."""
    edges = [*sorted({at for match in _PARTS.finditer(text) for at in match.span()})]
    first, last = 0, len(edges) - 1
    while first < last and pattern.is_in(text[edges[first] :]):
        start = edges[first]
        end = bisect_left(
            range(first + 1, last), True, key=lambda at: pattern.is_in(text[start : edges[at]])
        )
        end += first + 1
        at = bisect_left(
            range(end - first),
            True,
            key=lambda back: pattern.is_in(text[edges[end - 1 - back] : edges[end]]),
        )
        yield edges[max(first, end - 1 - at)], edges[end]
        first = end


GUARD = GuardPlugin(DenySettings, Deny, BOTH_WAYS)
