"""Are two rows that met near-duplicates? The exact check of what the signatures only suggest.

Two rows are one if they say the same, word by word (see `telling`), but for slips of the pen; the sentences
of an answer may stand in another order. No list of words decides: any other word may be the point."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from finewright.guard.duplicates.numbered import SENTENCE_END
from finewright.guard.duplicates.words import Spelling, Wording, are_capital, are_facts, uncapital

# Of shorter words many are one letter from another word (cat, car).
_FEWEST_LETTERS = 5
# Shorter sentences are items, lines or clauses, whose order may be the point.
_FEWEST_WORDS = 6


def alike(one: Wording, other: Wording, similarity: float) -> float | None:
    """The share of words that two of the same rows have in common; None where they are two rows or it is too
    small.

    A slip is a word that stands once in all rows for one that does not, one letter off: two words that both
    are used are two words."""
    if one.key != other.key:
        return None
    slips = _Slips(one.spelled)
    num_slips = slips.count(one.prompt, other.prompt)
    if num_slips is None:
        return None
    more_slips = slips.count(_without_ends(one.answered), _without_ends(other.answered))
    if more_slips is None:
        more_slips = _in_other_order(slips, one.answered, other.answered)
    if more_slips is None:
        return None
    num_words = len(one.prompt) + len(_without_ends(one.answered))
    share = 1 - (num_slips + more_slips) / max(1, num_words)
    return share if share >= similarity else None


class _Slips:
    """Compares runs of words of two rows, in either of which a word may be misspelled."""

    def __init__(self, spelled: Spelling) -> None:
        self._spelled = spelled

    def count(self, one: NDArray[np.uint32], other: NDArray[np.uint32]) -> int | None:
        """How many words are slips of each other; None where some other word differs."""
        if len(one) != len(other):
            return None
        plain, plain_other = uncapital(one), uncapital(other)
        places = np.flatnonzero(plain != plain_other)
        if not len(places):
            return 0
        differing = np.concatenate([one[places], other[places]])
        if are_facts(differing).any() or are_capital(differing).any():
            return None
        pairs = zip(plain[places].tolist(), plain_other[places].tolist(), strict=True)
        return len(places) if all(self._is_slip(a, b) for a, b in pairs) else None

    def _is_slip(self, one: int, other: int) -> bool:
        """Whether one letter within the word is left out, doubled, another one, or before its neighbour.

        Never the first or the last: those make other words (moral, amoral; payer, payee), and slips fall
        there least (Yannakoudakis and Fawthrop 1983)."""
        if self._spelled.is_once(one) == self._spelled.is_once(other):
            return False
        a, b = self._spelled[one], self._spelled[other]
        if min(len(a), len(b)) < _FEWEST_LETTERS or not (a.isalpha() and b.isalpha()):
            return False
        return a[0] == b[0] and a[-1] == b[-1] and OSA.distance(a, b, score_cutoff=1) <= 1


def _in_other_order(
    slips: _Slips, one: NDArray[np.uint32], other: NDArray[np.uint32]
) -> int | None:
    """As `_Slips.count`, of two answers as sets of sentences."""
    sides = [_split(one), _split(other)]
    if any(len(sentence) < _FEWEST_WORDS for side in sides for sentence in side):
        return None
    left, right = (Counter(uncapital(s).tobytes() for s in side) for side in sides)
    rest, rest_other = (
        [s for s in side if only[uncapital(s).tobytes()]]
        for side, only in zip(sides, (left - right, right - left), strict=True)
    )
    counts = [slips.count(a, b) for a, b in zip(rest, rest_other, strict=False)]
    found = [count for count in counts if count is not None]
    return sum(found) if len(rest) == len(rest_other) == len(found) else None


def _without_ends(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    kept: NDArray[np.uint32] = words[words != SENTENCE_END]
    return kept


def _split(words: NDArray[np.uint32]) -> Sequence[NDArray[np.uint32]]:
    ends = np.flatnonzero(words == SENTENCE_END)
    return [s[s != SENTENCE_END] for s in np.split(words, ends)[: len(ends)]]
