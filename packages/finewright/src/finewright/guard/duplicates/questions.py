"""Questions that are asked nearly so elsewhere, whatever the answers say.

The nearest questions by embeddings, as Yang et al. 2023 look for rephrased tests; here by means of static
word vectors, from a stated cosine on. Such a mean hardly sees a number, a name, or the one word in which two
rows of a template differ. So the nearest are read: a number, a time, a path or a sign of code that one alone
has makes two questions, and so do other words on both sides that are not alike by their vectors. Other words
for the same, and words around a question, do not.

Not covered: a word that one question alone has beside all of the other (`not`, `soon`), translations, and
synonyms in other languages than English, which the vectors do not know."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import fsum, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from finewright.guard.duplicates.telling import telling_sentences
from finewright.lm import static_words
from finewright.schema.rows import RowParts

LEAST_COSINE = 0.65
"""From which questions are compared at all: a sentence around a short question leaves about 0.75."""
# Of pairs of words: synonyms have 0.35 to 0.9 (buy, purchase: 0.79), others 0.25 at most (dog, cat: 0.14).
_LEAST_ALIKE = 0.4
# Of a question's words, weighed by their rarity; one word in ten may be said otherwise unseen.
_MOST_ALONE = 0.1
# The vectors know English; a word of another script counts as one that says something (letter: 14).
_UNKNOWN_LENGTH = 14.0
_MOST_COMPARED = 5
# 64 MB of cosines at once.
_CELLS = 1 << 24
_LABEL_WORDS = 6
# Shorter words are one letter from many others.
_FEWEST_LETTERS = 5


class NearQuestion(NamedTuple):
    """The earlier row (its place) that asks nearly the same, and the cosine of both questions."""

    of: int
    share: float


@dataclass(frozen=True)
class _Question:
    """What is asked: the sentences, the words in one case, and the row itself."""

    row: RowParts
    sentences: list[list[str]]
    words: frozenset[str]

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Numbers, names of code, signs of code, of mathematics and of money."""
        return tuple(sorted(filter(_is_fact, chain(*self.sentences))))

    @cached_property
    def names(self) -> frozenset[str]:
        """The words with a capital letter that begin no sentence."""
        inside = (word for said in self.sentences for word in said[1:])
        return frozenset(word.casefold() for word in inside if not word.islower())

    @cached_property
    def last(self) -> frozenset[str]:
        """The words of the last question; of all where none has a question mark."""
        before, _, _ = "\n".join(self.row.prompt).rpartition("?")
        said = telling_sentences(before)[-1:] if before else []
        return frozenset(map(str.casefold, *said)) if said else self.words

    @cached_property
    def answer(self) -> list[str]:
        """The words of the answer."""
        texts = (telling_sentences(text) for text in self.row.answered)
        return [word.casefold() for said in texts for word in chain(*said)]


def near_questions(
    known: Sequence[RowParts], others: Sequence[RowParts]
) -> dict[int, NearQuestion]:
    """Place of each row of `others` whose question is nearly one of `known` -> the nearest such row.

    Compared are the five nearest. Short answers without a word in common are labels: a conflict, no leak."""
    if not known or not others:
        return {}
    embedder = static_words.load()
    vectors, of_others = (
        embedder.documents(["\n".join(row.prompt) for row in rows]) for rows in (known, others)
    )
    questions, other_questions = ([_read(row) for row in rows] for rows in (known, others))
    pairs = [
        (place, NearQuestion(of, cosine), questions[of], other_questions[place])
        for place, of, cosine in _nearest(of_others, vectors)
        if _may_be_one(questions[of], other_questions[place])
    ]
    words = _Words(
        [*questions, *other_questions], (said for *_, one, other in pairs for said in (one, other))
    )
    best: dict[int, NearQuestion] = {}
    for place, found, one, other in pairs:
        if place not in best and words.say_the_same(one, other):
            best[place] = found
    return best


def _nearest(
    vectors: NDArray[np.float32], known: NDArray[np.float32]
) -> Iterator[tuple[int, int, float]]:
    """The (place, place of a known one, cosine) of the nearest, of each the nearest first."""
    block = max(1, _CELLS // len(known))
    for start in range(0, len(vectors), block):
        cosines = vectors[start : start + block] @ known.T
        for place, row in enumerate(cosines, start):
            near = np.flatnonzero(row >= LEAST_COSINE)
            if len(near) > _MOST_COMPARED:
                near = near[np.argpartition(-row[near], _MOST_COMPARED - 1)[:_MOST_COMPARED]]
            for of in near[np.argsort(-row[near], kind="stable")].tolist():
                yield place, of, float(row[of])


def _may_be_one(one: _Question, other: _Question) -> bool:
    are_short = max(len(one.answer), len(other.answer)) <= _LABEL_WORDS
    are_labels = are_short and bool(one.answer and other.answer)
    return one.facts == other.facts and not (
        are_labels and set(one.answer).isdisjoint(other.answer)
    )


class _Words:
    """Tells which words of two questions say something that the other does not."""

    def __init__(self, every: Sequence[_Question], compared: Iterable[_Question]) -> None:
        words = sorted({word for question in compared for word in question.words})
        sums = static_words.load().sums(words)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        self._place = {word: i for i, word in enumerate(words)}
        self._vectors = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
        # Inverse document frequency (Spärck Jones 1972): words of a template weigh nothing. Vectors of
        # words that say little are short (Schakel and Wilson 2015), and as unlike ones stand nearly at right
        # angles, the square is a word's part in a cosine.
        counts = Counter(word for question in every for word in question.words)
        self._weight = {
            word: log((1 + len(every)) / counts[word])
            * (float(length) if word.isascii() else _UNKNOWN_LENGTH) ** 2
            for word, length in zip(words, lengths[:, 0], strict=True)
        }

    def say_the_same(self, one: _Question, other: _Question) -> bool:
        """Whether all that one of them says is also said by the other, in whole and in its last question."""
        left, right = one.words - other.words, other.words - one.words
        if not left or not right:
            return True
        alike = self._alike(left, right, one.names | other.names)
        shares = [
            [self._share(alone & said, said) for said in (question.words, question.last)]
            for alone, question in ((left - alike, one), (right - alike, other))
        ]
        return all(min(of_both) <= _MOST_ALONE for of_both in zip(*shares, strict=True))

    def _alike(
        self, left: Collection[str], right: Collection[str], names: Collection[str]
    ) -> set[str]:
        """The words of both sides that have one like them on the other."""
        sides = [
            sorted(word for word in side if word.isascii() and word not in names)
            for side in (left, right)
        ]
        if not all(sides):
            return set()
        one, other = (self._vectors[[self._place[w] for w in side]] for side in sides)
        are_near = one @ other.T >= _LEAST_ALIKE
        found = {w for side, axis in zip(sides, (1, 0), strict=True)
                 for w, is_near in zip(side, are_near.any(axis=axis), strict=True) if is_near}  # fmt: skip
        for a in sides[0]:
            for b in sides[1]:
                if _is_slip(a, b):
                    found |= {a, b}
        return found

    def _share(self, alone: Collection[str], words: Collection[str]) -> float:
        """Of the weight of the words, that of those alone."""
        weights = [fsum(map(self._weight_of, side)) for side in (alone, words)]
        return weights[0] / weights[1] if weights[1] else 0.0

    def _weight_of(self, word: str) -> float:
        return self._weight.get(word, 0.0)


def _is_slip(one: str, other: str) -> bool:
    """Whether one letter within the word is left out, doubled, another one, or before its neighbour."""
    return (
        min(len(one), len(other)) >= _FEWEST_LETTERS
        and one[0] == other[0]
        and one[-1] == other[-1]
        and OSA.distance(one, other, score_cutoff=1) <= 1
    )


def _read(row: RowParts) -> _Question:
    sentences = [said for text in row.prompt for said in telling_sentences(text)]
    return _Question(row, sentences, frozenset(word.casefold() for word in chain(*sentences)))


def _is_fact(word: str) -> bool:
    """Whether it is a number, a name of code, a sign of code, of mathematics or of money."""
    return "_" in word or any(map(str.isdigit, word)) or not any(map(str.isalnum, word))
