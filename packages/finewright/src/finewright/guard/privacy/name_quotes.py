"""Values in quotes, as JSON, calls, CSV and SQL have them: to the tagger of names each is a line of its own.

The texts that taught the tagger have names between quotes in prose alone, as titles and what people say."""

from collections.abc import Iterator, MutableSequence, Sequence

_SIGNS = frozenset({'"', "'"})
_BEFORE = frozenset({":", "=", "(", "[", "{", ",", ";", "\n", "\\"})
_AFTER = frozenset({",", ";", ":", ")", "]", "}", "\n", "\\"})
_IN_NAMES = frozenset(
    {"van", "von", "de", "der", "den", "di", "da", "del", "la", "bin", "al", "-", "."}
)
_MOST_WORDS = 8


def set_apart(texts: MutableSequence[str]) -> None:
    """Put line ends for the quotes of values of several words, and single quotes for those of one word."""
    if _SIGNS.isdisjoint(texts):
        return
    for first, last in tuple(_values(texts)):
        words = [word for word in texts[first + 1 : last] if word[0].isalnum()]
        for at in (first, last):
            start = at - _is_escaped(texts, at)
            texts[start : at + 1] = ["\n" if len(words) > 1 else "'"] * (at + 1 - start)


def _values(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The places of the two quotes of each value."""
    opened: dict[tuple[str, bool], int] = {}
    for at, word in enumerate(texts):
        if word == "\n":
            opened.clear()
        elif word in _SIGNS:
            sign = word, _is_escaped(texts, at)
            first = opened.pop(sign, -1)
            if first >= 0 and _is_value(texts, first, at):
                yield first, at
            elif first < 0 and _before(texts, at) in _BEFORE:
                opened[sign] = at


def _is_value(texts: Sequence[str], first: int, last: int) -> bool:
    after = texts[last + 1] if last + 1 < len(texts) else "\n"
    inner = texts[first + 1 : last]
    if (
        _before(texts, first) == ","
    ):  # of a row; or of a sentence: Bachelor of Laws, "cum laude", from
        return after in _AFTER and (len(inner) == 1 or any(not word.islower() for word in inner))
    return after in _AFTER or _is_named(inner)


def _is_escaped(texts: Sequence[str], at: int) -> bool:
    """Is it a quote of a text that is quoted itself?"""
    return at > 0 and texts[at - 1] == "\\"


def _before(texts: Sequence[str], at: int) -> str:
    """What stands in front of the quote at a place; a line end where nothing does."""
    place = at - 1 - _is_escaped(texts, at)
    return texts[place] if place >= 0 else "\n"


def _is_named(inner: Sequence[str]) -> bool:
    """Are these few words that a name may have: "Anna Berg" is on the card?"""
    may_be = all(word[0].isupper() or word in _IN_NAMES for word in inner)
    return 0 < len(inner) <= _MOST_WORDS and may_be
