"""Patterns of the user's own, found as the built-in kinds are, in time that grows with the text alone."""

import re
from collections.abc import Callable, Iterator, Sequence

from finewright.errors import SpecError
from finewright.guard.privacy.scan import PersonalSpan, Scan, words
from finewright.judge.patterns import PlacedPattern
from finewright.schema.privacy import OwnPattern

_REACH_BEFORE, _REACH_AFTER = 60, 30
_SURE = 0.9  # as a built-in kind that a word names


def own_finder(patterns: Sequence[OwnPattern], key: str) -> Callable[[str], Iterator[PersonalSpan]]:
    """Who finds all of them in a text. Raises SpecError as `compile_own`, at a place under this key."""
    compiled = []
    for i, each in enumerate(patterns):
        try:
            placed = compile_own(each)
        except SpecError as error:
            raise SpecError(f"{key}.{i}.pattern: {error}", hint=error.hint) from None
        near = words(*(re.escape(word.lower()) for word in each.words)) if each.words else None
        compiled.append((each.name, placed, near))

    def find(text: str) -> Iterator[PersonalSpan]:
        scan = Scan(text)
        for name, placed, near in compiled:
            for start, end in placed.spans(text):
                around = (scan.before(start, _REACH_BEFORE), scan.after(end, _REACH_AFTER))
                if near is None or any(map(near.search, around)):
                    yield PersonalSpan(start, end, name, _SURE, "a pattern of your own")

    return find


def compile_own(pattern: OwnPattern) -> PlacedPattern:
    """Ready to search. Raises SpecError for what cannot be matched in bounded time, and for what finds
    nothing at every place."""
    placed = PlacedPattern(pattern.pattern)
    if placed.is_in(""):
        what = f"{pattern.pattern!r} matches an empty text, and so every place"
        raise SpecError(what, hint="ask for one character at least")
    return placed
