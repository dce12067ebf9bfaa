"""Words that may only look different, by a slip of the pen: told by lengths and letters first."""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache, reduce
from operator import or_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.lexicon.lists import same_as, stem

LONG = 4
_VERY_LONG = 8
_MOST_SLIPS = 2
_FEW_PAIRS = 200
# Letters beyond Latin Extended-A, and those without whose marks it is another word.
_EXTENDED, _DECISIVE = "\u0180", frozenset("ñăđĩũ")
# Short words that are no other word without their marks.
_SURE = frozenset(("für", "été", "née"))


def likely(words: Sequence[str], others: Sequence[str]) -> list[list[int]]:
    """Of each word the places of those others that may only look different from it."""
    if len(words) * len(others) <= _FEW_PAIRS:
        return [[i for i, o in enumerate(others) if may_be_alike(word, o)] for word in words]
    return [np.flatnonzero(row).tolist() for row in _likely_table(words, others)]


def _likely_table(words: Sequence[str], others: Sequence[str]) -> NDArray[np.bool_]:
    """The same for many words at once, as a table words x others."""
    sizes, other_sizes = (np.array([len(w) for w in each]) for each in (words, others))
    letters, other_letters = (
        np.array([_letters(word) for word in each], np.uint64) for each in (words, others)
    )
    has_marks = not all(map(str.isascii, others))
    short = np.minimum.outer(sizes, other_sizes)
    most = np.where(short < LONG, 0, np.where(short >= _VERY_LONG, _MOST_SLIPS, 1))
    found: NDArray[np.bool_] = np.abs(np.subtract.outer(sizes, other_sizes)) <= most
    left = np.bitwise_xor.outer(letters, other_letters)
    for slips in range(_MOST_SLIPS + 1):
        found &= (left == 0) | (most != slips)
        # Two letters that only one has go with each slip: the lowest two bits.
        for _ in range(2):
            left &= left - np.uint64(1)
    for i, word in enumerate(words):
        if same := same_as(word):
            found[i] |= np.array([other in same for other in others], bool)
        if not word.isascii() or has_marks:
            found[i] |= np.array([lacks_marks(word, other) for other in others], bool)
    return found


def unlike(words: Sequence[str], others: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of both lists the words that are sure to be none of the other, misspelled or not."""
    table = _likely_table(words, others)
    one, other = (np.flatnonzero(~table.any(axis=axis)).tolist() for axis in (1, 0))
    return [words[i] for i in one], [others[i] for i in other]


class SpelledForm(NamedTuple):
    """A word, its size, a bit for each of its letters, and the words that stand for it."""

    word: str
    size: int
    letters: int
    same: frozenset[str]


@lru_cache(100_000)
def form_of(word: str) -> SpelledForm:
    """The form of a word, by which it is told from most others."""
    return SpelledForm(word, len(word), _letters(word), same_as(word))


def is_unlike_all(word: str, others: Iterable[SpelledForm]) -> bool:
    """Is it sure that the word is none of the others?"""
    _, size, letters, same = form_of(word)
    is_plain = word.isascii()
    for other, other_size, other_letters, other_same in others:
        # Here most are told apart, and there are many: a loop takes half the time of an expression.
        is_far = (
            abs(size - other_size) > _MOST_SLIPS
            or (letters ^ other_letters).bit_count() > 2 * _MOST_SLIPS
        )
        if not is_far and may_be_alike(word, other):
            return False
        if other in same or word in other_same:
            return False
        if other.isascii() is not is_plain and lacks_marks(word, other):
            return False
    return True


def may_be_alike(word: str, other: str) -> bool:
    """A quick look at lengths and letters, which all pass that are misspelled; or a word of the lists."""
    most = _most_slips(min(len(word), len(other)))
    is_near = (
        -most <= len(word) - len(other) <= most
        and (_letters(word) ^ _letters(other)).bit_count() <= 2 * most
    )
    return is_near or other in same_as(word) or lacks_marks(word, other)


def lacks_marks(one: str, other: str) -> bool:
    """Is one word the other as it is typed without accents: `Zurich`, `numero`?

    With `ñ` (`ano`, `año`) and in Vietnamese it is another one."""
    if one.isascii() == other.isascii():
        return False
    if not all(char < _EXTENDED and char not in _DECISIVE for char in one + other):
        return False
    return one == _bare(other) if one.isascii() else other == _bare(one)


def are_marked_apart(one: str, other: str) -> bool:
    """Are they the same letters with marks that decide: `a\xf1os` and `anos`, two words of Vietnamese?

    Of a long word `\xf1` does not: nobody has another `manana`."""
    if one == other or (one.isascii() and other.isascii()) or _bare(one) != _bare(other):
        return False
    marked = one + other
    is_vietnamese = any("\u1ea0" <= char <= "\u1ef9" or char in "\u01a1\u01b0" for char in marked)
    return is_vietnamese or (len(one) <= LONG and not _DECISIVE.isdisjoint(marked))


def is_sure_without_marks(word: str, other: str) -> bool:
    """Is it no other word without its marks? Of short ones it may be, as `el` and `él` are, `für` is not."""
    return min(len(word), len(other)) >= LONG or not _SURE.isdisjoint((word, other))


@lru_cache(100_000)
def _bare(word: str) -> str:
    apart = unicodedata.normalize("NFD", word)
    return "".join(char for char in apart if not unicodedata.combining(char))


def _most_slips(shortest: int) -> int:
    """How many slips of the pen the shorter of two words may have; of a short one letters exchanged alone."""
    if shortest < LONG:
        return 0
    return _MOST_SLIPS if shortest >= _VERY_LONG else 1


@lru_cache(100_000)
def _letters(word: str) -> int:
    """A bit for each letter of the word."""
    return reduce(or_, (1 << (ord(letter) & 63) for letter in word), 0)


def is_misspelled(one: str, other: str) -> bool:
    """Is one word the other with a slip of the pen: a letter more, less, other, or two exchanged?

    Words of eight letters that begin alike may have two such slips, not both of them letters left out
    (`biologist` and `urologist`, `basketball` and `baseball` are other words); words of three only exchanged
    letters."""
    short, long = len(one), len(other)
    if short > long:
        short, long = long, short
    if short < LONG:
        return short == long and sorted(one) == sorted(other) and _num_slips(one, other) == 1
    most = _most_slips(short)
    # But `broadcast` and `broadcasted` are one word.
    if one[0] != other[0] or (long - short >= _MOST_SLIPS and stem(one) != stem(other)):
        most = min(most, 1)
    return (
        long - short <= most
        and (_letters(one) ^ _letters(other)).bit_count() <= 2 * most
        and _num_slips(one, other) <= most
    )


def is_misspelled_of(word: str, known: frozenset[str]) -> bool:
    """Is the word one of the known, of more than four letters, with a slip of the pen?"""
    size, letters = len(word), _letters(word)
    by_size = _long_by_size(known)
    return any(
        (letters ^ of_other).bit_count() <= 2 * _MOST_SLIPS and is_misspelled(word, other)
        for near in range(size - _MOST_SLIPS, size + _MOST_SLIPS + 1)
        for other, of_other in by_size.get(near, ())
    )


@cache
def _long_by_size(words: frozenset[str]) -> dict[int, list[tuple[str, int]]]:
    """Size -> the words of it, with their letters."""
    found: dict[int, list[tuple[str, int]]] = {}
    for word in words:
        if len(word) > LONG:
            found.setdefault(len(word), []).append((word, _letters(word)))
    return found


def _num_slips(one: str, other: str) -> int:
    """Letters added, left out, replaced, or exchanged with the next: the restricted Damerau-Levenshtein
    distance."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
