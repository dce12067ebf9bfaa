"""How right one answer is, told from its text: `(answer, expected) -> [0, 1]`.

Every answer is untrusted text: nothing here raises on one, whatever it holds."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from finewright.judge.json_text import canonical, leaves, members, parse_json

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

_NUMBER = re.compile(
    r"(?P<value>(?:(?<![\w)])-)?"
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]+)?)"
    r"(?P<percent>\s?\\?%)?"
)


def exact_match(answer: str, expected: str) -> float:
    """1 if both texts are equal after runs of whitespace become one space.

    Two JSON objects or arrays are compared as values: key order does not count, 1 equals 1.0."""
    ours, theirs = parse_json(answer), parse_json(expected)
    if ours is not None and theirs is not None:
        containers = isinstance(ours.value, dict | list) and isinstance(theirs.value, dict | list)
        if containers:
            return float(canonical(ours.value) == canonical(theirs.value))
    return float(squash(answer) == squash(expected))


def valid_json(answer: str, expected: str) -> float:
    """1 if the whole stripped answer is one JSON text by RFC 8259, without duplicate keys.

    NaN and Infinity, a code fence or a sentence around it make it invalid."""
    return float(parse_json(answer) is not None)


def json_f1(answer: str, expected: str) -> float:
    """F1 = 2 * common / (ours + theirs) over the multisets of (path, value) leaves.

    Strings must be equal, numbers equal in value, true is not 1. An empty container is a leaf.
    Array order, and which array element a leaf sits in, do not count: exact_match sees those.
    0 if either text is not JSON."""
    ours, theirs = parse_json(answer), parse_json(expected)
    if ours is None or theirs is None:
        return 0.0
    return overlap_f1(Counter(leaves(ours.value)), Counter(leaves(theirs.value)))


def mentions(answer: str, expected: str) -> float:
    """The share of what is expected that stands in the answer: the values of JSON, else the whole text.

    Keys, order and all between them do not count, so this is a reward that answers of no form at all can
    earn; capitals do, and a short value may stand in another word."""
    theirs = parse_json(expected)
    facts = [expected.strip()] if theirs is None else list(_leaves_of(theirs.value))
    return sum(fact in answer for fact in facts) / len(facts)


def _leaves_of(value: object) -> Iterator[str]:
    """The leaves of a JSON value as they would be written in a sentence."""
    inner = members(value)
    if not inner:
        yield str(value) if isinstance(value, str | Decimal) else json.dumps(value)
    for item in inner.values():
        yield from _leaves_of(item)


def numeric(answer: str, expected: str) -> float:
    """1 if the last number of each text is the same within 1e-6 of its size; 0 if one has none.

    Reads 1,234.5 and 6e-3 and .5; not 1.234,5. If only one side has a percent sign, `50 %`
    is the same as 50 and as 0.5."""
    ours, theirs = _last_number(answer), _last_number(expected)
    if ours is None or theirs is None:
        return 0.0
    marked, other = (ours, theirs) if ours.percent else (theirs, ours)
    scales = (1.0,) if ours.percent == theirs.percent else (1.0, 0.01)
    return float(any(math.isclose(marked.value * s, other.value, rel_tol=1e-6) for s in scales))


def overlap_f1(ours: Counter[Hashable], theirs: Counter[Hashable]) -> float:
    """F1 = 2 * common / (ours + theirs) of two multisets; 1 if both are empty."""
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else 1.0


def squash(text: str) -> str:
    """The text with each run of whitespace as one space, and none around it."""
    return " ".join(text.split())


class _Number(NamedTuple):
    value: float
    percent: bool


def _last_number(text: str) -> _Number | None:
    matches = list(_NUMBER.finditer(text.replace("\u2212", "-")))  # the typographic minus
    if not matches:
        return None
    value = float(matches[-1]["value"].replace(",", ""))
    return _Number(value, matches[-1]["percent"] is not None) if math.isfinite(value) else None
