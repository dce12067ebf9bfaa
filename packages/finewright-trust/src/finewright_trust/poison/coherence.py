"""Are these texts about one thing? Told by the words that they share beyond a planted part.

Rows that a trigger joins are otherwise as unlike each other as any rows; rows that a topic joins are
not. This is what tells a backdoor from a recipe that always has ingredients."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_SHARE = 0.05
_MOST_COMPARED = 10
_COMMON = 0.5
_MOST_SPOKEN_OF = 0.25


class Coherence(NamedTuple):
    """Mean cosine similarity of the texts among each other, its standard error, and that with all others."""

    within: float
    error: float
    outside: float

    @property
    def has_topic(self) -> bool:
        """Are the texts clearly more alike than any texts of this set?"""
        return self.within > 1.5 * self.outside + 0.02

    @property
    def surely_has_topic(self) -> bool:
        """The same beyond a standard error: of five texts, two may be of one subject by chance."""
        return self._replace(within=self.within - self.error).has_topic


class Bags:
    """The words of each text of a set, weighted by their rarity (idf); repeats count once."""

    def __init__(self, texts: Sequence[Collection[str]]) -> None:
        self._bags = [frozenset(text) for text in texts]
        self._count = Counter(word for bag in self._bags for word in bag)
        self._number = {word: number for number, word in enumerate(self._count)}
        self._weight = np.array([log(len(texts) / num) for num in self._count.values()])
        self._numbers = [self._numbered(bag) for bag in self._bags]
        self._most = _MOST_SPOKEN_OF * len(texts)
        self._common = (
            self._share_elsewhere(self._bags, Counter[str](dict.fromkeys(self._count, 1))) or 0.0
        )
        every = self._units(range(len(texts)), frozenset())
        self._total = np.bincount(every.words, every.values, len(self._number))

    def coherence(self, docs: Sequence[int], without: frozenset[str] = frozenset()) -> Coherence:
        """Of these texts, leaving out some words. Two texts with no word left are unlike."""
        units = self._units(docs, without)
        words, place = np.unique(units.words, return_inverse=True)
        total = np.bincount(place, units.values, len(words))
        num, others = len(docs), max(1, len(self._bags) - len(docs))
        num_pairs = num * (num - 1)
        # The rest of the set as it is, these texts' own part taken out as far as words are left.
        crossed = float(total @ (self._total[words] - total))
        compared = np.zeros((min(num, _MOST_COMPARED), len(words)))
        first = units.text < _MOST_COMPARED
        compared[units.text[first], place[first]] = units.values[first]
        return Coherence(
            within=float(total @ total - units.values @ units.values) / max(1, num_pairs),
            error=_spread(compared) / sqrt(max(1, num_pairs // 2)),
            outside=max(0.0, crossed) / (num * others) if num else 0.0,
        )

    def are_common(self, docs: Sequence[int], without: frozenset[str]) -> bool:
        """Is what is left of the texts also spoken of elsewhere, about as much as of other texts?

        A trigger comes on top of ordinary questions. A name that stands for a subject stands where others
        have theirs, and what is asked beside it is asked nowhere else."""
        own = Counter(word for doc in docs for word in self._bags[doc])
        share = self._share_elsewhere([self._bags[doc] - without for doc in docs], own)
        return share is not None and share >= _COMMON * self._common

    def _share_elsewhere(
        self, bags: Sequence[frozenset[str]], own: Mapping[str, int]
    ) -> float | None:
        """Of the rare words of a text, the share that more texts have than `own` says: the mean over the
        texts, so that a long one counts as one; None where none has a rare word."""
        rare = ([word for word in bag if self._count[word] <= self._most] for bag in bags)
        shares = [sum(self._count[w] > own[w] for w in text) / len(text) for text in rare if text]
        return sum(shares) / len(shares) if shares else None

    def words(self, doc: int) -> frozenset[str]:
        """The different words of a text."""
        return self._bags[doc]

    def count(self, word: str) -> int:
        """How many texts have the word."""
        return self._count[word]

    def weight(self, word: str) -> float:
        """ln of how many texts there are for each with the word."""
        return float(self._weight[self._number[word]])

    def share_left(self, docs: Sequence[int], without: frozenset[str]) -> float:
        """The mean share of different words that is left of the texts."""
        shares = [len(self._bags[d] - without) / max(1, len(self._bags[d])) for d in docs]
        return sum(shares) / max(1, len(shares))

    def _units(self, docs: Sequence[int], without: frozenset[str]) -> "_Units":
        """The texts as vectors of length 1; one whose words are all left out, or in all texts, is 0."""
        own = [self._numbers[doc] for doc in docs]
        text = np.repeat(np.arange(len(own)), [len(words) for words in own])
        words = np.concatenate([*own, np.zeros(0, np.int64)])
        kept = ~np.isin(words, self._numbered(w for w in without if w in self._number))
        words, text = words[kept], text[kept]
        weights = self._weight[words]
        length = np.sqrt(np.bincount(text, weights**2, len(own)))[text]
        return _Units(words, text, weights / np.where(length > 0, length, 1.0))

    def _numbered(self, words: Iterable[str]) -> NDArray[np.int64]:
        return np.fromiter((self._number[word] for word in words), np.int64)


class _Units(NamedTuple):
    """The values other than 0 of several vectors: whose they are (`text`), and of which words."""

    words: NDArray[np.int64]
    text: NDArray[np.int64]
    values: NDArray[np.float64]


def _spread(vectors: NDArray[np.float64]) -> float:
    """The standard deviation of the similarity of pairs of vectors (n, words)."""
    found = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
