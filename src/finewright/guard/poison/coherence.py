"""Are these texts about one thing? Told by the words that they share beyond a planted part.

Rows that a trigger joins are otherwise as unlike each other as any rows; rows that a topic joins are
not. This is what tells a backdoor from a recipe that always has ingredients."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from math import log, sqrt
from statistics import stdev
from typing import NamedTuple

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
        found = Counter(word for bag in self._bags for word in bag)
        self._weight = {word: log(len(texts) / count) for word, count in found.items()}
        self._count = found
        self._most = _MOST_SPOKEN_OF * len(texts)
        self._common = (
            self._share_elsewhere(self._bags, Counter[str](dict.fromkeys(found, 1))) or 0.0
        )
        self._total: Counter[str] = Counter()
        for i in range(len(texts)):
            self._total.update(self._unit(i, frozenset()))

    def coherence(self, docs: Sequence[int], without: frozenset[str] = frozenset()) -> Coherence:
        """Of these texts, leaving out some words. Two texts with no word left are unlike."""
        vectors = [self._unit(doc, without) for doc in docs]
        total: Counter[str] = Counter()
        for vector in vectors:
            total.update(vector)
        own = sum(x * x for x in total.values())
        alone = sum(x * x for vector in vectors for x in vector.values())
        num, others = len(docs), max(1, len(self._bags) - len(docs))
        # The rest of the set as it is, these texts' own part taken out as far as words are left.
        crossed = sum(x * (self._total[word] - x) for word, x in total.items())
        return Coherence(
            within=(own - alone) / max(1, num * (num - 1)),
            error=_spread(vectors[:_MOST_COMPARED]) / sqrt(max(1, num * (num - 1) // 2)),
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
        return self._weight[word]

    def share_left(self, docs: Sequence[int], without: frozenset[str]) -> float:
        """The mean share of different words that is left of the texts."""
        shares = [len(self._bags[d] - without) / max(1, len(self._bags[d])) for d in docs]
        return sum(shares) / max(1, len(shares))

    def _unit(self, doc: int, without: frozenset[str]) -> dict[str, float]:
        weights = {word: self._weight[word] for word in self._bags[doc] - without}
        length = sqrt(sum(x * x for x in weights.values()))
        return {word: x / length for word, x in weights.items()} if length else {}


def _spread(vectors: Sequence[Mapping[str, float]]) -> float:
    """The standard deviation of the similarity of pairs."""
    pairs = combinations(vectors, 2)
    found = [sum(x * b[word] for word, x in a.items() if word in b) for a, b in pairs]
    return stdev(found) if len(found) > 1 else 0.0
