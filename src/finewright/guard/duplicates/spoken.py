"""What a question is about decides what makes no difference: words, an order, a text that is worked on."""

from collections.abc import Iterable

from numpy import uint32
from numpy.typing import NDArray

from finewright.guard.duplicates.code import is_code
from finewright.guard.duplicates.words import number_of, uncapital

_FEWEST_WORDS, _WORDS_TO_ONE_EXCHANGED = 20, 10


def _numbers(words: str) -> frozenset[int]:
    return frozenset(map(number_of, words.split()))


# Where these are spoken of, a synonym is another word; `select` is of SQL.
_OF_WORDS = _numbers(
    "translate translates translated translation define definition meaning mean means synonym"
    " synonyms antonym antonyms word words spell spelling british american english german"
    " french spanish called term terms phrase rhyme rhymes vocabulary paraphrase rephrase"
    " select"
)
_OF_TEXT = _numbers(
    "translate summarise summarize classify paraphrase rephrase rewrite correct proofread"
    " sentiment intent label tone detect extract polite formal transcribe quote sentence"
    " phrase email mail message"
)


def most_exchanged(one: NDArray[uint32], other: NDArray[uint32], question: NDArray[uint32]) -> int:
    """How many words may stand for others by WordNet: one in ten of prose, none in a short text or in code,
    and none where the `question` is about words."""
    num_words = min(len(one), len(other))
    if num_words < _FEWEST_WORDS or is_code(one.tolist(), other.tolist()):
        return 0
    is_of_words = any(_has(text, _OF_WORDS) for text in (one, other, question))
    return 0 if is_of_words else num_words // _WORDS_TO_ONE_EXCHANGED


def asks_of_text(question: Iterable[str | None]) -> bool:
    """Is something to be done with a text that is given, so that a courtesy may be a part of it?"""
    return not _OF_TEXT.isdisjoint(number_of(word) for word in question if word)


def _has(words: NDArray[uint32], known: frozenset[int]) -> bool:
    return not known.isdisjoint(uncapital(words).tolist())
