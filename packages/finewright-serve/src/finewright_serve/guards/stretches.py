"""Stretches of words that stand in known texts, found by the hashes of their n-grams of words.

Words are compared in lower case, without what stands between them. Two n-grams of 64 bits are the same by
chance in one of 10^10 answers of a thousand words against a million words."""

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from finewright.guard.words import WORD

_WORD = re.compile(WORD)


class Stretches:
    """All n-grams of some texts. A span is a run of words of which each n in a row stand in one of them."""

    def __init__(self, texts: Iterable[str], words: int) -> None:
        self._size = words
        self._known = {gram for text in texts for gram in self._grams(text)[1]}

    def __len__(self) -> int:
        return len(self._known)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where a known stretch of n words or more begins and ends."""
        places, grams = self._grams(text)
        found = [
            (places[at][0], places[at + self._size - 1][1])
            for at, gram in enumerate(grams)
            if gram in self._known
        ]
        return united(found)

    def _grams(self, text: str) -> tuple[list[tuple[int, int]], list[bytes]]:
        matches = list(_WORD.finditer(text))
        words = [match[0].lower() for match in matches]
        grams = [
            blake2b(
                "\0".join(words[at : at + self._size]).encode("utf-8", "surrogatepass"),
                digest_size=8,
            ).digest()
            for at in range(len(words) - self._size + 1)
        ]
        return [match.span() for match in matches], grams


def united(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
