"""Rows that are the same: by what they say, or but for case, spaces and forms of characters."""

from collections.abc import Hashable, Iterable


def repeats(keys: Iterable[Hashable]) -> dict[int, int]:
    """Place of each key that was there before -> the place where it was first."""
    first: dict[Hashable, int] = {}
    found = {}
    for i, key in enumerate(keys):
        if first.setdefault(key, i) != i:
            found[i] = first[key]
    return found
