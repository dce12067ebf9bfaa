"""JSON read strictly by RFC 8259, and its values compared as values.

Every text is untrusted: none makes these functions raise, overflow the stack or take long."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

MAX_JSON_DEPTH = 100
"""Deeper JSON counts as invalid, so that a verdict does not hang on the interpreter's stack."""
MAX_JSON_DIGITS = 4300
"""Longer numbers count as invalid: CPython's own limit for reading an integer."""


class ParsedJson(NamedTuple):
    """A JSON text that was read, its numbers as Decimals; wrapped, for null is a value too."""

    value: object


class JsonAt(NamedTuple):
    """A JSON value that stands in a text, with Python's own numbers, and where it ends."""

    value: Any  # Any: free JSON
    end: int


def parse_json(text: str) -> ParsedJson | None:
    """The value of one RFC 8259 text, or None if it is not one or is beyond the limits above."""
    try:
        value: object = json.loads(
            text.strip(),
            parse_int=_parse_json_number,
            parse_float=_parse_json_number,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return None if _too_deep(value) else ParsedJson(value)


def json_at(text: str, start: int) -> JsonAt | None:
    """The value in the text at a place, after blanks; None where there is none within the limits."""
    begin = len(text) - len(text[start:].lstrip())
    try:
        value, end = _decoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    return None if _too_deep(value) else JsonAt(value, end)


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_unique)


def _parse_json_number(text: str) -> Decimal:
    if len(text) > MAX_JSON_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return Decimal(text)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("a key appears twice")
    return unique


def members(value: object) -> dict[str, object]:
    """What an object or an array holds, an array's items by their index; nothing for other values."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        level = [child for node in level for child in members(node).values()]
        if not level:
            return False
    return True


def canonical(value: object) -> Hashable:
    """Equal exactly when the JSON values are; the type is part of it, for 1 == True in Python."""
    if isinstance(value, dict):
        return "object", frozenset((key, canonical(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(canonical(item) for item in value)
    return type(value).__name__, value


def leaves(value: object, path: tuple[str | None, ...] = ()) -> Iterator[Hashable]:
    """(path, value) of each leaf; an array adds None to the path, which no key can be."""
    inner = members(value)
    if not inner:
        yield path, canonical(value)
    for key, item in inner.items():
        yield from leaves(item, (*path, key if isinstance(value, dict) else None))
