"""Which facts a row has: most rows of one template are told apart by them, before any word is compared.

A fact that each of two texts has alone makes them two rows. Number words may stand for a few facts (`ten`,
10), so those few prove nothing here."""

from collections import Counter
from functools import cache

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.lexicon.lists import numerals
from finewright.guard.duplicates.words import Wordings, are_facts, mixed, number_of


def fact_bits(rows: Wordings) -> NDArray[np.uint64]:
    """Of what each row asks, and answers, the facts as a set of 64 bits: an array 2 x rows."""
    if not len(rows):
        return np.empty((2, 0), np.uint64)
    proving = are_facts(rows.words) & ~np.isin(rows.words, list(_spelled_facts()))
    bits = np.zeros(len(rows.words), np.uint64)
    # The highest six bits choose one of 64.
    bits[proving] = np.uint64(1) << (mixed(rows.words[proving].astype(np.uint64)) >> np.uint64(58))
    parts = np.stack([rows.starts[:-1], rows.answers], axis=1).ravel()
    return np.ascontiguousarray(np.bitwise_or.reduceat(bits, parts).reshape(-1, 2).T)


def have_other_bits(bits: NDArray[np.uint64], one: int, other: int) -> bool:
    """Has each of two rows a fact alone? A bit that the other lacks proves it, a common one nothing."""
    for part in (0, 1):
        a, b = bits.item(part, one), bits.item(part, other)
        if a & ~b and b & ~a:
            return True
    return False


def have_other_facts(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> bool:
    """Has each text a fact that the other has not, not even as a word? Enough for a contrast."""
    facts, other_facts = (words[are_facts(words)].tolist() for words in (one, other))
    if not facts or not other_facts:
        return False
    a, b = Counter[int](facts), Counter[int](other_facts)
    return all(only.keys() - _spelled_facts() for only in (a - b, b - a))


@cache
def _spelled_facts() -> frozenset[int]:
    """The numbers of the facts that number words stand for."""
    return frozenset(map(number_of, numerals().values()))
