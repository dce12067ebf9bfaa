"""Found values taken out of a text, with the place that each has before and after."""

import json
from collections.abc import Callable, Collection
from typing import NamedTuple

from finewright.data.privacy.find import DEFAULT, Finder, apart, find
from finewright.data.privacy.scan import Span
from finewright.schema.privacy import FoundType

Stand = Callable[[Span, str], str]


class Place(NamedTuple):
    """A span, and where what stands for it begins and ends in the changed text."""

    span: Span
    start: int
    end: int


class Replaced(NamedTuple):
    """The changed text, and the place of every span in it."""

    text: str
    places: tuple[Place, ...]


def placeholder(type_: FoundType) -> str:
    """What is written where a value was redacted, such as `[EMAIL]`."""
    return f"[{type_.upper()}]"


def redacted(text: str, types: Collection[FoundType] = DEFAULT) -> str:
    """The text with the values of those types as placeholders; `find` finds none of them in it."""
    spans = settled(text, find(text, types), types)
    return replaced(text, spans, lambda span, _: placeholder(span.type)).text


def replaced(text: str, spans: Collection[Span], stand: Stand) -> Replaced:
    """The text with each span's value replaced by what `stand` says for it, which may be the value."""
    parts, places, last, length = [], [], 0, 0
    for span in spans:
        new = stand(span, text[span.start : span.end])
        length += span.start - last
        parts += [text[last : span.start], new]
        places.append(Place(span, length, length + len(new)))
        last, length = span.end, length + len(new)
    return Replaced("".join([*parts, text[last:]]), tuple(places))


def settled(
    text: str, spans: tuple[Span, ...], types: Collection[FoundType], ner: Finder | None = None
) -> tuple[Span, ...]:
    """The spans, and those that only show when the others are taken out.

    Ends because each round either finds nothing or takes more of the text."""
    while spans:
        out = replaced(text, spans, lambda span, _: placeholder(span.type))
        again = [_back(span, out.places) for span in find(out.text, types, ner)]
        fresh = [span for span in again if span is not None]
        if not fresh:
            break
        spans = apart([*_outside(spans, fresh), *fresh])
    return spans


def in_json(text: str, spans: Collection[Span], stand: Stand) -> Replaced:
    """`replaced` in a text that is JSON, which it stays: what stands for a bare number gets quotes."""
    plain = replaced(text, spans, stand)
    if _is_json(plain.text) or not _is_json(text):
        return plain

    def quoted(span: Span, value: str) -> str:
        new = stand(span, value)
        is_bare = text[: span.start].replace('\\"', "").count('"') % 2 == 0
        return new if new == value or not is_bare else f'"{new}"'

    return replaced(text, spans, quoted)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _back(span: Span, places: Collection[Place]) -> Span | None:
    """A span of the changed text as one of the text before; None if it is within a placeholder."""
    start, end = span.start, span.end
    shift_start = shift_end = 0
    for place in places:
        if place.start <= span.start and span.end <= place.end:
            return None
        grown = (place.end - place.start) - (place.span.end - place.span.start)
        if place.end <= span.start:
            shift_start += grown
        elif place.start < span.start:
            start = place.start
        if place.end <= span.end:
            shift_end += grown
        elif place.start < span.end:
            end, shift_end = place.end, shift_end + grown
    return span._replace(start=start - shift_start, end=end - shift_end)


def _outside(spans: Collection[Span], fresh: Collection[Span]) -> list[Span]:
    return [
        span
        for span in spans
        if all(span.end <= other.start or other.end <= span.start for other in fresh)
    ]
