"""Two rows that met, told apart by a count of the words that only one of them has.

Most rows that meet in a band share a template, or half of their words, and are no repeats. Before their
order, names and opposites are looked at it is sure how many words say something other at least: those that
are no small words, and that nothing beside them may be a misspelling of."""

from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache
from itertools import filterfalse
from typing import NamedTuple

from finewright.guard.duplicates.contrast import NOT, is_telling, may_be_unsaid
from finewright.guard.duplicates.edits import most_other
from finewright.guard.duplicates.lexicon.lists import numerals
from finewright.guard.duplicates.slips import form_of, is_unlike_all, unlike
from finewright.guard.duplicates.words import FACT, Wording

_NUMBER = 0xFFFFFFFF
# Of few pairs of words each is looked at for itself; of so many that is no sooner than all that `alike` does.
_FEW_PAIRS, _TOO_MANY_PAIRS = 500, 40_000


def are_apart(one: Wording, other: Wording, similarity: float) -> bool:
    """Are two rows not near for `alike`, by what they ask or what they answer?

    False where that is not sure."""
    for part, (counted, counted_other) in enumerate(zip(one.counted, other.counted, strict=True)):
        left = _side(counted - counted_other, one, part)
        right = _side(counted_other - counted, other, part)
        num_words = (len(counted) + len(counted_other)) / 2
        if _is_part_apart(left, right, num_words, similarity):
            return True
    return False


class _Side(NamedTuple):
    """The words that one text has alone, those of them that say something, and those that are names."""

    words: Sequence[str]
    said: Sequence[str]
    names: frozenset[str]


def _side(only: frozenset[int], row: Wording, part: int) -> _Side:
    """What is a number, in digits or words, is left out."""
    numbers = [counted & _NUMBER for counted in only if not counted & FACT]
    meant, spelled = _meant(), row.spelled
    words = [said for word in map(spelled.__getitem__, numbers) if (said := meant.get(word, word))]
    names = map(spelled.__getitem__, row.names[part].intersection(numbers))
    return _Side(words, [w for w in words if not may_be_unsaid(w)], frozenset(names))


@cache
def _meant() -> dict[str, str]:
    """Words that are taken for another: `cant` for `not`; number words for none."""
    return dict.fromkeys(NOT, "not") | dict.fromkeys(numerals(), "")


def _is_part_apart(left: _Side, right: _Side, num_words: float, similarity: float) -> bool:
    if len(left.words) * len(right.words) > _TOO_MANY_PAIRS or _may_be_same(left, right):
        return False
    most = most_other(num_words, similarity, is_replaced=True)
    nums = _nums_other(left, right, most)
    if not min(nums):
        most = most_other(num_words, similarity, is_replaced=False)
        nums = _nums_other(left, right, most)
    return max(nums) > most


def _may_be_same(left: _Side, right: _Side) -> bool:
    """Are they perhaps the same words, parted otherwise, as `data base` and `database`?"""
    is_same_size = sum(map(len, left.words)) == sum(map(len, right.words))
    return is_same_size and sorted("".join(left.words)) == sorted("".join(right.words))


def _nums_other(left: _Side, right: _Side, most: int) -> tuple[int, int]:
    """How many words of each side say something that none of the other side may say.

    They need not be counted beyond one more than the `most`; a word that tells is as many."""
    of_each: tuple[Iterator[str], Iterator[str]]
    if (most + 1) * (len(left.words) + len(right.words)) <= _FEW_PAIRS:
        of_each = (_unlike_all(left.said, right.words), _unlike_all(right.said, left.words))
    else:
        one, other = unlike(left.words, right.words)
        of_each = (filterfalse(may_be_unsaid, one), filterfalse(may_be_unsaid, other))
    return _counted(of_each[0], left.names, most), _counted(of_each[1], right.names, most)


def _unlike_all(words: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    forms = [*map(form_of, others)]
    return (word for word in words if is_unlike_all(word, forms))


def _counted(words: Iterable[str], names: Set[str], most: int) -> int:
    num = 0
    for word in words:
        num += most + 1 if is_telling(word, names) else 1
        if num > most:
            break
    return num
