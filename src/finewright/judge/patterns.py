"""Regular expressions of the user's over answers of a model's, kept from running without end."""

import re
from collections.abc import Iterator
from typing import Any

from finewright.errors import SpecError

MAX_CHARACTERS = 10_000
"""A longer answer is no match: patterns with several repeats take a power of the length."""
_MANY = 16
"""A repeat of at most so many times ends soon, whatever is in it."""
_BACKTRACKING = {"MAX_REPEAT", "MIN_REPEAT"}
_ATOMIC = {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}


class Regex:
    """1 if the pattern matches the whole answer without the whitespace around it (Python's `re`).

    An answer of more than 10,000 characters is no match."""

    def __init__(self, pattern: str) -> None:
        """Raises SpecError, as `compile_pattern`."""
        self._pattern = compile_pattern(pattern)

    def __call__(self, answer: str, expected: str = "") -> float:
        """The score of one answer."""
        text = answer.strip()
        return float(len(text) <= MAX_CHARACTERS and self._pattern.fullmatch(text) is not None)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to match; SpecError if it is none, or may take for ever on an answer.

    Covered: a repeat in a repeat, which takes 2^n steps. Not covered: alternatives that match the same text
    in a repeat, and the powers of n that several repeats in a row take."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SpecError(f"not a regular expression: {pattern!r}: {error}") from None
    if _nested_repeat(re._parser.parse(pattern), inside=False):  # type: ignore[attr-defined]
        raise SpecError(
            f"a repeat in a repeat can take for ever: {pattern!r}",
            hint=r"make the inner one possessive, as in (?:\d++,)*",
        )
    return compiled


def _nested_repeat(parsed: Any, *, inside: bool) -> bool:  # Any: re's own tree has no types
    """Can a repeat give text back to a repeat around it? In an atomic part it cannot."""
    for operator, arguments in parsed:
        name = str(operator)
        many = name in _BACKTRACKING and arguments[1] > _MANY
        if many and inside and arguments[0] != arguments[1]:
            return True
        within = name not in _ATOMIC and (many or inside)
        if any(_nested_repeat(part, inside=within) for part in _parts(arguments)):
            return True
    return False


def _parts(arguments: Any) -> Iterator[Any]:  # Any: as above
    if isinstance(arguments, re._parser.SubPattern):  # type: ignore[attr-defined]
        yield arguments
    elif isinstance(arguments, list | tuple):
        for item in arguments:
            yield from _parts(item)
