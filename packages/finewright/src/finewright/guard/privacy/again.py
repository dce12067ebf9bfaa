"""What was found once in a row, wherever else the row has it: a key that is named in one place is one in all.

A value counts elsewhere where the same text is hardly anything else: a long or mixed secret, a number of
seven digits and more, an address, a name. Of a name of several words each that is no other word counts alone,
as `Berger` does after `Anna Berger`. Not covered: a value that is written otherwise there."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from finewright.guard.privacy.assigned import is_generated
from finewright.guard.privacy.name_features import MERGED, PARTICLES, flags_of
from finewright.guard.privacy.scan import UNSPACED, PersonalSpan, only_digits
from finewright.schema.privacy import FoundType

# A certain one wins against what stands at its place; a name is a guess there, too.
_SECRET, _PERSONAL = 0.9, 0.8
_LONG_SECRET, _MIXED_SECRET = 16, 8
_FEWEST_DIGITS, _FEWEST_LETTERS = 7, 3
_NUMBERS = frozenset(("phone", "card", "national_id", "date_of_birth"))
_NAME_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
# A number or a name may stand beside `_`, and beside a word of a script without spaces.
_GLUE = re.compile(rf"[^\W_{UNSPACED}]")
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
    ordered = sorted(values, key=lambda text: (_rank(text, values[text], secrets), -len(text)))

    def spans(text: str) -> Iterator[PersonalSpan]:
        end = 0
        for start, _, value in sorted(_places(text, ordered)):
            type_ = values[value]
            if start < end or not (type_ in secrets or _is_whole(text, start, value, type_)):
                continue
            end = start + len(value)
            sure = _SECRET if type_ in secrets else _PERSONAL
            yield PersonalSpan(start, end, type_, sure, _WHY)

    return spans


def _rank(text: str, type_: FoundType, secrets: frozenset[FoundType]) -> int:
    """Who wins where several begin: a secret, a whole name before its parts, what is left."""
    return 0 if type_ in secrets else 1 if _is_full_name(text, type_) else 2


def _places(text: str, ordered: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Where each of the values begins in a text, with its rank."""
    for rank, value in enumerate(ordered):
        start = text.find(value)
        while start >= 0:
            yield start, rank, value
            start = text.find(value, start + 1)


def _is_whole(text: str, start: int, value: str, type_: FoundType) -> bool:
    """Is it no part of a longer word? A name of several words has its genitive, too."""
    end = start + len(value)
    if start and _GLUE.match(text, start - 1):
        return False
    has_genitive = _is_full_name(value, type_) and text.startswith("s", end)
    return not _GLUE.match(text, end) or (has_genitive and not _GLUE.match(text, end + 1))


def _is_full_name(text: str, type_: FoundType) -> bool:
    return type_ == "name" and " " in text


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
    if len(word) < _FEWEST_LETTERS or not word[0].isupper() or lower in PARTICLES | MERGED:
        return False
    flags = set(flags_of(lower))
    return not flags & set("cnp") and (not is_listed or bool(flags & set("gs")))
