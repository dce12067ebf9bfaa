"""Which sentences of texts have what an answer says, and which texts say the same.

By words alone, of any language: a word counts the more, the fewer of the texts have it (inverse document
frequency, Spärck Jones 1972). Not covered: an answer in other words than its source."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from finewright.guard.duplicates.words import shape_of, words_of
from finewright.judge.quotes import numbers_absent, numbers_in

LONGEST = 300
"""The most characters of a sentence that is quoted; a longer one is taken in parts."""

_MOST_SENTENCES = 3
# A sentence more has to bring a fifth of what is asked for.
_LEAST_GAIN = 0.2
_ENOUGH = 0.95
_ROUNDING = 1e-9
# What is shorter says nothing alone: `O(1).`
_SHORTEST = 16
_RUN = 3
_SAME = 0.5
_MOST_KNOWN = 1 << 14

_BLOCKS = re.compile(
    r"\n[ \t]*\n|\n(?=[ \t]*(?:[-+*|>]|[0-9]{1,9}[.)])[ \t])|^[ \t]*```[^\n]*\n?", re.M
)
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")
# After the mark and what closes with it, but not after an abbreviation.
_SENTENCE_END = re.compile(
    r"(?<=[.!?\u2026])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!cf\.)(?<!vs\.)[\"')\]\u201d\u2019]*\s+"
    r"|(?<=[\u3002\uff01\uff1f])"
)


class Sentence(NamedTuple):
    """A sentence as it stands in its text, the place of the text, and its words."""

    place: int
    text: str
    words: frozenset[str]


class AnswerEvidence(NamedTuple):
    """The sentences that together have most of an answer, and the share of its weight that they have."""

    sentences: tuple[Sentence, ...]
    share: float


def _sentences_with(wanted: Set[str], texts: Sequence[str]) -> list[Sentence]:
    """Those that have one of the words."""
    return [
        Sentence(place, text, words)
        for place, whole_text in enumerate(texts)
        for text, words in _cut(whole_text)
        if not words.isdisjoint(wanted)
    ]


def evidence(
    answer: str, question: str, texts: Sequence[str], rarity: Mapping[str, float]
) -> AnswerEvidence:
    """At most three sentences, each the best of what is left, those of a text that has one before others.

    Of several as good it is the one that has more of the question, then the first: give the texts that suit
    the question best first. `rarity` is the weight of words, 1 where it has none. The share is 0 where a
    number of the answer is neither in them nor asked."""
    wanted, question_words = words_in(answer), words_in(question)
    whole = _weight(wanted, rarity)
    left = _sentences_with(wanted, texts)
    missing, chosen = wanted, list[Sentence]()
    while left and len(chosen) < _MOST_SENTENCES:
        gains = [_weight(sentence.words & missing, rarity) for sentence in left]
        if max(gains) < _LEAST_GAIN * whole and chosen:
            break
        places = {sentence.place for sentence in chosen}
        best = [s for s, gain in zip(left, gains, strict=True) if gain >= max(gains) - _ROUNDING]
        chosen.append(
            max(best, key=lambda s: (s.place in places, _weight(s.words & question_words, rarity)))
        )
        left.remove(chosen[-1])
        missing -= chosen[-1].words
        if _weight(missing, rarity) <= (1 - _ENOUGH) * whole:
            break
    if not wanted or numbers_absent(answer, [question, *(sentence.text for sentence in chosen)]):
        return AnswerEvidence((), 0.0)
    return AnswerEvidence(tuple(chosen), 1 - _weight(missing, rarity) / whole)


def rarity_in(texts: Sequence[str]) -> dict[str, float]:
    """Of each word 1 / the number of these texts that have it; a number is never common."""
    counts = Counter(word for text in texts for word in words_in(text))
    return {word: 1 / count for word, count in counts.items() if not word[0].isdigit()}


def says_the_same(one: str, other: str) -> bool:
    """Whether one of them has half of the other's runs of three words, whatever digits are in them.

    So the texts of overloads, which differ in their types, and of versions of a page say the same; and so
    does a short text that stands in a long one."""
    runs, others = _runs(one), _runs(other)
    return len(runs & others) >= _SAME * max(1, min(len(runs), len(others)))


@lru_cache(_MOST_KNOWN)
def words_in(text: str) -> frozenset[str]:
    """The folded words; numbers in one spelling, 1,234 and 1234."""
    numbers = numbers_in(text)
    for number in sorted(numbers, key=len, reverse=True):
        text = text.replace(number, " ")
    words = words_of(text) if any(map(str.isalnum, text)) else []
    return frozenset([*numbers.values(), *words])


@lru_cache(_MOST_KNOWN)
def _cut(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((piece, words_in(piece)) for piece in sentences(text))


def sentences(text: str) -> Iterator[str]:
    """The sentences of Markdown, as they stand: those of a paragraph, a list's item, a table's row.

    Headings are none. A very short one is part of the one before; what is longer than `LONGEST` is cut
    between lines, then between words."""
    for block in _BLOCKS.split(text):
        body = block.partition("\n")[2] if _HEADING.match(block) else block
        start = 0
        for end in [*(mark.end() for mark in _SENTENCE_END.finditer(body)), len(body)]:
            rest = body[end:].strip()
            if rest and (end - start < _SHORTEST or len(_SENTENCE_END.split(rest)[0]) < _SHORTEST):
                continue
            for piece in _short(body[start:end].strip()):
                if any(map(str.isalnum, piece)):
                    yield piece
            start = end


def _short(text: str) -> Iterator[str]:
    if len(text) <= LONGEST:
        yield text
        return
    lines = text.split("\n")
    if len(lines) > 1:
        for line in lines:
            yield from _short(line.strip())
        return
    space = text.rfind(" ", 1, LONGEST)
    end = space if space > 0 else LONGEST
    yield text[:end]
    yield from _short(text[end:].strip())


def _weight(words: frozenset[str] | set[str], rarity: Mapping[str, float]) -> float:
    # Exact, as sets of words have another order in every process.
    return math.fsum(rarity.get(word, 1.0) for word in words)


@lru_cache(_MOST_KNOWN)
def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = [shape_of(word) for word in words_of(text)]
    return frozenset(tuple(words[i : i + _RUN]) for i in range(max(1, len(words) - _RUN + 1)))
