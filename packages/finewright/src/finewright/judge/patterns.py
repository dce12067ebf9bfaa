"""Regular expressions of strangers, matched in time that grows with the text alone.

Python's own engine takes 2^n steps for `^(a|a)*$`. Here a pattern is read by Python's parser and written anew
for the engine of Rust's `regex` crate, which has no such case and which pydantic brings."""

import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from finewright.errors import SpecError

MOST_PLACED = 200
MAX_CHARACTERS = 10_000
"""A longer answer is no match."""
_MOST_CHARACTERS, _MOST_NESTED = 2_000, 1_000
"""Of a pattern, and of counts in counts, as (a{9}){9} is 81: RE2's own limit
(https://github.com/google/re2/blob/main/re2/parse.cc)."""
_UNKNOWN = {
    "ASSERT": "look-around",
    "ASSERT_NOT": "look-around",
    "GROUPREF": "a back reference",
    "GROUPREF_EXISTS": "a condition on a group",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
    "COUNTS": f"a count in counts of more than {_MOST_NESTED}",
}
_MENDS = {"ATOMIC_GROUP": "write (?: for (?>", "POSSESSIVE_REPEAT": "leave out the second +"}
_MOST_SHOWN = 100
_CLASSES = {
    "DIGIT": (r"\p{Nd}", "0-9"),
    "WORD": (r"\p{L}\p{N}_", "a-zA-Z0-9_"),
    "SPACE": (r"\s\x1c-\x1f", r" \t-\r"),
}
"""Inside brackets, as Python knows them in text and with (?a)."""


class Pattern:
    """A pattern, ready to search a text. Text that UTF-8 cannot hold has no match."""

    def __init__(self, translated: str) -> None:
        self.source = translated
        schema = core_schema.str_schema(pattern=translated, regex_engine="rust-regex")
        self._validator = SchemaValidator(schema)

    def is_in(self, text: str) -> bool:
        """Whether some part of the text matches."""
        try:
            self._validator.validate_python(text)
        except ValidationError:
            return False
        return True


class PlacedPattern:
    """A pattern that says where it matches; a match of more than 200 characters is cut there.

    The engine says only whether. So each place is tried with the character before and after it, for `\\b` to
    see them, the longest match first: at most 200 tries of 202 characters for each place of a match."""

    def __init__(self, pattern: str) -> None:
        """Raises SpecError, as `compile_pattern`."""
        self._any = compile_pattern(pattern)
        one = "(?s:.)"
        inner = f"(?:{self._any.source})"
        edges = ("", one)
        self._begins = [Pattern(rf"\A{before}{inner}") for before in edges]
        self._whole = [[Pattern(rf"\A{b}{inner}{a}\z") for a in edges] for b in edges]

    def is_in(self, text: str) -> bool:
        """Whether some part of the text matches."""
        return self._any.is_in(text)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """(start, end) of each match, the leftmost and longest first, apart from each other."""
        start = 0 if self._any.is_in(text) else len(text)
        while start < len(text):
            end = self._end(text, start)
            if end:
                yield start, end
            start = end or start + 1

    def _end(self, text: str, start: int) -> int:
        """Where the longest match ends that begins at a place; 0 where none does."""
        before = min(start, 1)
        window = text[start - before : start + MOST_PLACED + 1]
        if not self._begins[before].is_in(window):
            return 0
        for size in range(min(MOST_PLACED, len(text) - start), 0, -1):
            after = start + size < len(text)
            if self._whole[before][after].is_in(window[: before + size + after]):
                return start + size
        return 0


class Regex:
    """1 if the pattern matches the whole answer without the whitespace around it (Python's `re`, without
    look-around and back references).

    An answer of more than 10,000 characters is no match."""

    def __init__(self, pattern: str) -> None:
        """Raises SpecError, as `compile_pattern`."""
        self._pattern = compile_pattern(pattern, whole=True)

    def __call__(self, answer: str, expected: str = "") -> float:
        """The score of one answer."""
        text = answer.strip()
        return float(len(text) <= MAX_CHARACTERS and self._pattern.is_in(text))


def compile_pattern(pattern: str, *, whole: bool = False) -> Pattern:
    """The pattern as Python reads it; `whole` matches nothing but whole texts.

    `$` is the end, as JSON Schema has it, and not also before a last newline; `\\b` counts marks on letters
    as parts of words. Raises SpecError with what is wrong, or what cannot be matched in bounded time."""
    if len(pattern) > _MOST_CHARACTERS:
        raise SpecError(f"a pattern of {len(pattern)} characters; {_MOST_CHARACTERS} are taken")
    shown = repr(pattern[:_MOST_SHOWN])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets in sets, which are written out here
            parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]
        translated = _Writer(parsed.state.flags).all_of(parsed)
    except (re.error, OverflowError, RecursionError) as error:
        raise SpecError(f"not a regular expression: {shown}: {error}") from None
    except _UnknownError as error:
        what = f"{_UNKNOWN[error.operator]} is not matched in bounded time: {shown}"
        hint = _MENDS.get(error.operator, "write the pattern without it")
        raise SpecError(what, hint=hint) from None
    try:
        return Pattern(rf"\A(?:{translated})\z" if whole else translated)
    except SchemaError:
        hint = r"count to less, or write [A-Za-z0-9_] for \w and [0-9] for \d"
        raise SpecError(f"a pattern too large to match: {shown}", hint=hint) from None


class _UnknownError(Exception):
    def __init__(self, operator: str) -> None:
        self.operator = operator


class _Writer(NamedTuple):
    """Python's tree of a pattern as the `regex` crate spells it, under flags, within counts."""

    flags: int
    nested: int = 1

    def all_of(self, parsed: Iterable[tuple[Any, Any]]) -> str:  # Any: re's own tree has no types
        return "".join(self._one(str(operator), given) for operator, given in parsed)

    def _one(self, operator: str, given: Any) -> str:  # Any: as above
        match operator:
            case "LITERAL" | "NOT_LITERAL" | "IN" | "ANY":
                return self._character(operator, given)
            case "AT":
                return self._place(str(given))
            case "BRANCH":
                return f"(?:{'|'.join(map(self.all_of, given[1]))})"
            case "SUBPATTERN":
                _, added, removed, inner = given
                return f"(?:{self._replace(flags=(self.flags | added) & ~removed).all_of(inner)})"
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(given) + ("?" if operator == "MIN_REPEAT" else "")
            case _:
                raise _UnknownError(operator)

    def _repeat(self, given: Any) -> str:  # Any: as above
        least, most, inner = given
        is_open = most == re._parser.MAXREPEAT  # type: ignore[attr-defined]
        nested = self.nested * max(1, least if is_open else most)
        if self.nested > 1 and nested > _MOST_NESTED:
            raise _UnknownError("COUNTS")
        written = self._replace(nested=nested).all_of(inner)
        return f"(?:{written}){{{least},{'' if is_open else most}}}"

    def _character(self, operator: str, given: Any) -> str:  # Any: as above
        if operator == "ANY":
            return "(?s:.)" if self.flags & re.DOTALL else "(?-s:.)"
        if operator == "IN":
            is_other = bool(given) and str(given[0][0]) == "NEGATE"
            inner = "".join(self._member(str(kind), each) for kind, each in given[is_other:])
            found = f"[{'^' if is_other else ''}{inner}]"
        else:
            found = f"[{'^' if operator == 'NOT_LITERAL' else ''}{_escape_code(given)}]"
        return f"(?i:{found})" if self.flags & re.IGNORECASE else found

    def _member(self, kind: str, given: Any) -> str:  # Any: as above
        if kind == "LITERAL":
            return _escape_code(given)
        if kind == "RANGE":
            return f"{_escape_code(given[0])}-{_escape_code(given[1])}"
        name = str(given).removeprefix("CATEGORY_")
        inner = _CLASSES[name.removeprefix("NOT_")][bool(self.flags & re.ASCII)]
        return f"[{'^' if name.startswith('NOT_') else ''}{inner}]"

    def _place(self, name: str) -> str:
        flags = "m" if self.flags & re.MULTILINE else ""
        flags += "-u" if self.flags & re.ASCII and "BOUNDARY" in name else ""
        written = {
            "AT_BEGINNING": "^",
            "AT_BEGINNING_STRING": r"\A",
            "AT_BOUNDARY": r"\b",
            "AT_NON_BOUNDARY": r"\B",
            "AT_END": "$",
            "AT_END_STRING": r"\z",
        }[name]
        return f"(?{flags}:{written})"


def _escape_code(code: int) -> str:
    return rf"\x{{{code:x}}}"
