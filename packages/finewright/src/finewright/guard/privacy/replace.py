"""Found values taken out of a text, with the place that each has before and after."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from finewright.guard.privacy.find import DEFAULT, Finder, apart, find
from finewright.guard.privacy.scan import PersonalSpan
from finewright.schema.privacy import FoundType

Stand = Callable[[PersonalSpan, str], str]
# The tokens of a text that is JSON: strings, numbers and constants, brackets.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[-+.\w]+|[\[\]{}:,]')
_STRING_OR_NUMBER = ('"', "-", *"0123456789")


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


def redact(text: str, types: Collection[FoundType] = DEFAULT) -> str:
    """The text with the values of those types as placeholders; `find` finds none of them in it."""
    spans = settle_spans(text, find(text, types), types)
    return replace_spans(text, spans, lambda span, _: placeholder(span.type)).text


def replace_spans(text: str, spans: Collection[PersonalSpan], stand: Stand) -> Replaced:
    """The text with each span's value replaced by what `stand` says for it, which may be the value."""
    parts, places, last, length = [], [], 0, 0
    for span in spans:
        new = stand(span, text[span.start : span.end])
        length += span.start - last
        parts += [text[last : span.start], new]
        places.append(ReplacedSpan(span, length, length + len(new)))
        last, length = span.end, length + len(new)
    return Replaced("".join([*parts, text[last:]]), tuple(places))


def settle_spans(
    text: str,
    spans: tuple[PersonalSpan, ...],
    types: Collection[FoundType],
    ner: Finder | None = None,
    lead: str = "",
) -> tuple[PersonalSpan, ...]:
    """The spans, and those that only show when the others are taken out.

    Ends because each round either finds nothing or takes more of the text."""
    while spans:
        out = replace_spans(text, spans, lambda span, _: placeholder(span.type))
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
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    parts, last = [], 0
    for place, token in _values(key, text):
        value = json.loads(token[0])
        new = change(place, value)
        if new != value:
            parts += [text[last : token.start()], json.dumps(new, ensure_ascii=False)]
            last = token.end()
    return "".join([*parts, text[last:]])


def _values(key: str, text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Each string and number of a text that is JSON, names in objects aside, with its key."""
    # Of what is open: its key, and the place in a list, or -1 for an object.
    opened: list[tuple[str, int]] = []
    here, is_name = key, False
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in ("{", "["):
            is_name = mark == "{"
            opened.append((here, -1 if is_name else 0))
            here += "" if is_name else "[0]"
        elif mark in ("}", "]"):
            opened.pop()
        elif mark == ",":
            place, index = opened[-1]
            is_name = index < 0
            if not is_name:
                opened[-1] = (place, index + 1)
                here = f"{place}[{index + 1}]"
        elif is_name:
            here, is_name = f"{opened[-1][0]}.{json.loads(mark)}", False
        elif mark.startswith(_STRING_OR_NUMBER):
            yield here, match


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
