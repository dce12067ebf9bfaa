"""What is left of two texts without the words with which both begin and end: often very little."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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


def _num_alike(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> int:
    most = min(len(one), len(other))
    differs = one[:most] != other[:most]
    first = int(differs.argmax()) if most else 0
    return first if most and differs[first] else most
