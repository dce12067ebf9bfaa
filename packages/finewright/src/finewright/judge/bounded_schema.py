"""JSON Schemas of strangers, held to in bounded time: patterns that end, and so many references a value.

The `jsonschema` library searches patterns with Python's `re`, and follows two references in each of 40 parts
2^40 times."""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from finewright.judge.patterns import Pattern, compile_pattern

MOST_REFERENCES = 20_000
"""Followed for one value, in about a second. A tree of as many nodes needs as many."""
_Found = Iterator[Any]  # Any: jsonschema has no types
_Keyword = Callable[[Any, Any, Any, Any], _Found]
_spent = threading.local()
_pattern = lru_cache(maxsize=1024)(compile_pattern)


class TooManySteps(RecursionError):  # noqa: N818 - reads as a claim where it is raised
    """Whether the schema accepts the value is not found in bounded time."""


def begin() -> None:
    """Count references from 0, in this thread: another value follows."""
    _spent.references = 0


@lru_cache(maxsize=16)
def bound_validator(draft: Any) -> Any:
    """The library's validator of a draft, with its own errors, in bounded time."""
    from jsonschema.validators import extend

    followed = {key: draft.VALIDATORS[key] for key in _REFERENCES if key in draft.VALIDATORS}
    keywords = {key: _count_references(keyword) for key, keyword in followed.items()}
    return extend(draft, {**_KEYWORDS, **keywords})


_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def _count_references(keyword: _Keyword) -> _Keyword:
    def counting(validator: Any, reference: Any, value: Any, schema: Any) -> _Found:
        _spent.references = getattr(_spent, "references", 0) + 1
        if _spent.references > MOST_REFERENCES:
            raise TooManySteps
        return keyword(validator, reference, value, schema)

    return counting


def _pattern_keyword(validator: Any, pattern: str, value: Any, schema: Any) -> _Found:
    if isinstance(value, str) and not _pattern(pattern).is_in(value):
        yield _error(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, value: Any, schema: Any) -> _Found:
    for pattern, inner in patterns.items() if isinstance(value, dict) else ():
        for key in filter(_pattern(pattern).is_in, value):
            yield from validator.descend(value[key], inner, path=key, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, value: Any, schema: Any) -> _Found:
    extras = _extras(value, schema) if isinstance(value, dict) else []
    if isinstance(inner, Mapping):
        for key in extras:
            yield from validator.descend(value[key], inner, path=key)
    elif extras and not inner:
        names = ", ".join(map(repr, extras))
        be = "was" if len(extras) == 1 else "were"
        yield _error(f"Additional properties are not allowed ({names} {be} unexpected)")


def _extras(value: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    patterns: list[Pattern] = [_pattern(each) for each in schema.get("patternProperties", ())]
    named = schema.get("properties", {})
    return [k for k in value if k not in named and not any(p.is_in(k) for p in patterns)]


def _error(message: str) -> Any:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


_KEYWORDS: dict[str, _Keyword] = {
    "pattern": _pattern_keyword,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
}
