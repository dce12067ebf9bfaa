"""What is left of two texts without the words with which both begin and end: often very little."""

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SENTENCE, _MOST_JOINTS = 6, 4


class Middles(NamedTuple):
    """The number of words with which both texts begin, and end, and what each has between."""

    head: int
    tail: int
    one: NDArray[np.uint32]
    other: NDArray[np.uint32]


def middles(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> Middles:
    """The texts without their common beginning, and then without their common end.

    A longest common subsequence has both whole, and of a multiset's difference they are no part."""
    head = _num_alike(one, other)
    one, other = one[head:], other[head:]
    tail = _num_alike(one[::-1], other[::-1])
    return Middles(head, tail, one[: len(one) - tail], other[: len(other) - tail])


def is_moved(one: NDArray[np.uint32], other: NDArray[np.uint32], common: int) -> bool:
    """Has one text a sentence of six words and more in another place, and nothing else to itself?

    `common`: the words in common in order. A block that moved leaves at most four pairs of neighbours that
    the other text has not. Two halves that changed places are none: it may be the point which is first."""
    if len(one) != len(other) or len(one) - common < _SENTENCE:
        return False
    if not np.array_equal(np.sort(one), np.sort(other)):
        return False
    pairs = [Counter(pairwise(words.tolist())) for words in (one, other)]
    return (pairs[0] - pairs[1]).total() <= _MOST_JOINTS and not _is_turned(one, other)


def is_reordered(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> bool:
    """Has one text the words of the other in another order?"""
    is_same_size = len(one) == len(other) and not np.array_equal(one, other)
    return is_same_size and np.array_equal(np.sort(one), np.sort(other))


def _is_turned(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> bool:
    """Is one text the end and then the beginning of the other?"""
    return any(
        np.array_equal(np.roll(one, -start), other) for start in np.flatnonzero(one == other[0])
    )


def _num_alike(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> int:
    most = min(len(one), len(other))
    differs = one[:most] != other[:most]
    first = int(differs.argmax()) if most else 0
    return first if most and differs[first] else most
