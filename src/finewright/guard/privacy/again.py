"""What was found once in a row, wherever else the row has it: a key that is named in one place is one in all.

A value counts elsewhere where the same text is hardly anything else: a long or mixed secret, a number of
seven digits and more, an address, a name. Of a name of several words each that is no other word counts alone,
as `Berger` does after `Anna Berger`. Not covered: a value that is written otherwise there."""

import re
from collections.abc import Callable, Iterable, Iterator

from finewright.guard.privacy.assigned import is_generated
from finewright.guard.privacy.name_features import PARTICLES, flags_of
from finewright.guard.privacy.scan import UNSPACED, PersonalSpan, only_digits
from finewright.schema.privacy import FoundType

# A certain one wins against what stands at its place; a name is a guess there, too.
_SECRET, _PERSONAL = 0.9, 0.8
_LONG_SECRET, _MIXED_SECRET = 16, 8
_FEWEST_DIGITS, _FEWEST_LETTERS = 7, 3
_NUMBERS = frozenset(("phone", "card", "national_id", "date_of_birth"))
_NAME_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
# A number or a name may stand beside `_`, and beside a word of a script without spaces.
_GLUE = rf"[^\W_{UNSPACED}]"
_WHY = "found elsewhere in the row"


def values_again(
    found: Iterable[tuple[str, FoundType]], secrets: frozenset[FoundType]
) -> Callable[[str], Iterator[PersonalSpan]] | None:
    """Who finds these values once more, one that is no secret only as a whole word or number; None where
    none of them is looked for elsewhere."""
    values = {
        text: type_ for value, type_ in found for text in _elsewhere(value, type_, type_ in secrets)
    }
    if not values:
        return None
    hidden = _any_of(value for value, type_ in values.items() if type_ in secrets)
    whole = _any_of(value for value, type_ in values.items() if type_ not in secrets)
    # A name of several words has its genitive, too.
    names = _any_of(value for value, type_ in values.items() if type_ == "name" and " " in value)
    ends = f"(?:{names}(?=s?(?!{_GLUE}))|{whole}(?!{_GLUE}))"
    pattern = re.compile(f"{hidden}|(?<!{_GLUE}){ends}")

    def spans(text: str) -> Iterator[PersonalSpan]:
        for match in pattern.finditer(text):
            type_ = values[match[0]]
            sure = _SECRET if type_ in secrets else _PERSONAL
            yield PersonalSpan(*match.span(), type_, sure, _WHY)

    return spans


def _any_of(values: Iterable[str]) -> str:
    """A pattern of these texts, the longest first: a whole name before its parts. Of none: of nothing."""
    ordered = sorted(values, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, ordered))})" if ordered else "(?!)"


def _elsewhere(value: str, type_: FoundType, is_secret: bool) -> Iterable[str]:
    """The texts that are this value wherever they stand."""
    if type_ == "name":
        return _of_name(value)
    is_sure = (
        (is_secret and _is_no_word(value))
        or (type_ in _NUMBERS and len(only_digits(value)) >= _FEWEST_DIGITS)
        or type_ == "address"
    )
    return (value,) if is_sure else ()


def _is_no_word(secret: str) -> bool:
    """Is it so long, or so mixed, that the same text elsewhere is the same secret?"""
    return len(secret) >= _LONG_SECRET or (len(secret) >= _MIXED_SECRET and is_generated(secret))


def _of_name(name: str) -> Iterator[str]:
    """The name, and those of its words that are no word of a language and no place; one alone is listed."""
    words = _NAME_WORD.findall(name)
    if len(words) > 1:
        yield name
    yield from (word for word in words if _is_only_name(word, is_listed=len(words) == 1))


def _is_only_name(word: str, *, is_listed: bool) -> bool:
    lower = word.lower()
    if len(word) < _FEWEST_LETTERS or not word[0].isupper() or lower in PARTICLES:
        return False
    flags = set(flags_of(lower))
    return not flags & set("cnp") and (not is_listed or bool(flags & set("gs")))
