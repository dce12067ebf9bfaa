"""Found values taken out of a text, with the place that each has before and after."""

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from finewright.guard.privacy.find import DEFAULT, Finder, apart, find
from finewright.guard.privacy.scan import PersonalSpan
from finewright.schema.privacy import FoundType

Stand = Callable[[PersonalSpan, str], str]


class ReplacedSpan(NamedTuple):
    """A span, and where what stands for it begins and ends in the changed text."""

    span: PersonalSpan
    start: int
    end: int


class Replaced(NamedTuple):
    """The changed text, and the place of every span in it."""

    text: str
    places: tuple[ReplacedSpan, ...]


def placeholder(type_: FoundType) -> str:
    """What is written where a value was redacted, such as `[EMAIL]`."""
    return f"[{type_.upper()}]"


def redacted(text: str, types: Collection[FoundType] = DEFAULT) -> str:
    """The text with the values of those types as placeholders; `find` finds none of them in it."""
    spans = settled(text, find(text, types), types)
    return replaced(text, spans, lambda span, _: placeholder(span.type)).text


def replaced(text: str, spans: Collection[PersonalSpan], stand: Stand) -> Replaced:
    """The text with each span's value replaced by what `stand` says for it, which may be the value."""
    parts, places, last, length = [], [], 0, 0
    for span in spans:
        new = stand(span, text[span.start : span.end])
        length += span.start - last
        parts += [text[last : span.start], new]
        places.append(ReplacedSpan(span, length, length + len(new)))
        last, length = span.end, length + len(new)
    return Replaced("".join([*parts, text[last:]]), tuple(places))


def settled(
    text: str,
    spans: tuple[PersonalSpan, ...],
    types: Collection[FoundType],
    ner: Finder | None = None,
    lead: str = "",
) -> tuple[PersonalSpan, ...]:
    """The spans, and those that only show when the others are taken out.

    Ends because each round either finds nothing or takes more of the text."""
    while spans:
        out = replaced(text, spans, lambda span, _: placeholder(span.type))
        again = [_back(span, out.places) for span in find(out.text, types, ner, lead)]
        fresh = [span for span in again if span is not None]
        if not fresh:
            break
        spans = apart([*_outside(spans, fresh), *fresh])
    return spans


def json_mapped(key: str, text: str, change: Callable[[str, str | float], object]) -> str | None:
    """JSON text with each string and number in it changed; None if the text is not JSON.

    `change` gets the key of a value and the value. What is not changed stays as it was written."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    new = _mapped(key, data, change)
    return text if new == data else json.dumps(new, ensure_ascii=False)


def _mapped(
    key: str,
    value: Any,
    change: Callable[[str, str | float], object],  # Any: free JSON
) -> object:
    if isinstance(value, dict):
        return {name: _mapped(f"{key}.{name}", item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_mapped(f"{key}[{i}]", item, change) for i, item in enumerate(value)]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    return change(key, value)


def _back(span: PersonalSpan, places: Collection[ReplacedSpan]) -> PersonalSpan | None:
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


def _outside(
    spans: Collection[PersonalSpan], fresh: Collection[PersonalSpan]
) -> list[PersonalSpan]:
    return [
        span
        for span in spans
        if all(span.end <= other.start or other.end <= span.start for other in fresh)
    ]
