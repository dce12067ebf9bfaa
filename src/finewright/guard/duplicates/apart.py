"""Two rows that met, told apart by a count of the words that only one of them has.

Most rows that meet in a band share a template, or half of their words, and are no repeats. Before their
order, names and opposites are looked at it is sure how many words say something other at least: those that
are no small words, and that nothing beside them may be a misspelling of."""

from collections.abc import Iterable, Sequence
from itertools import islice

from finewright.guard.duplicates.contrast import may_be_unsaid, spelled_as_not
from finewright.guard.duplicates.edits import most_other
from finewright.guard.duplicates.lexicon.lists import numerals
from finewright.guard.duplicates.slips import may_be_alike, unlike
from finewright.guard.duplicates.words import Spelling, Wording, is_fact

_NUMBER = 0xFFFFFFFF
# Of few pairs of words each is looked at for itself; of so many that is no sooner than all that `alike` does.
_FEW_PAIRS, _TOO_MANY_PAIRS = 150, 10_000


def are_apart(one: Wording, other: Wording, similarity: float) -> bool:
    """Have two rows so many other words, asked or answered, that `alike` finds them not near?

    False where that is not sure."""
    return any(
        _is_part_apart(
            _words(counted - counted_other, one.spelled),
            _words(counted_other - counted, other.spelled),
            (len(counted) + len(counted_other)) / 2,
            similarity,
        )
        for counted, counted_other in zip(one.counted, other.counted, strict=True)
    )


def _words(only: Iterable[int], spelled: Spelling) -> list[str]:
    """The words of these counted numbers; what is a number, in digits or words, is left out."""
    digits = numerals()
    words = (spelled.get(counted & _NUMBER) for counted in only if not is_fact(counted))
    return [spelled_as_not(word) for word in words if word is not None and word not in digits]


def _is_part_apart(
    left: Sequence[str], right: Sequence[str], num_words: float, similarity: float
) -> bool:
    most = most_other(num_words, similarity, is_replaced=True)
    num_said = max(sum(not may_be_unsaid(word) for word in side) for side in (left, right))
    if num_said <= most or _may_be_same(left, right) or len(left) * len(right) > _TOO_MANY_PAIRS:
        return False
    nums = _nums_other(left, right, most)
    if min(nums):
        return max(nums) > most
    most = most_other(num_words, similarity, is_replaced=False)
    return max(_nums_other(left, right, most)) > most


def _may_be_same(left: Sequence[str], right: Sequence[str]) -> bool:
    """Are they perhaps the same words, parted otherwise, as `data base` and `database`?"""
    is_same_size = sum(map(len, left)) == sum(map(len, right))
    return is_same_size and sorted("".join(left)) == sorted("".join(right))


def _nums_other(left: Sequence[str], right: Sequence[str], most: int) -> tuple[int, int]:
    """How many words of each side say something that none of the other side may say.

    They need not be counted beyond one more than the `most`."""
    if (most + 1) * (len(left) + len(right)) > _FEW_PAIRS:
        one, other = (sum(not may_be_unsaid(word) for word in side) for side in unlike(left, right))
        return one, other
    return _num_other(left, right, most), _num_other(right, left, most)


def _num_other(words: Sequence[str], others: Sequence[str], most: int) -> int:
    other = (
        word
        for word in words
        if not (may_be_unsaid(word) or any(may_be_alike(word, each) for each in others))
    )
    return sum(1 for _ in islice(other, most + 1))
