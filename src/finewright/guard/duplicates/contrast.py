"""What two rows of nearly the same words differ in: does it make them two rows?

A negation, a weekday, a place, a name, an operator, a flag of a command that one of them has; two words that
exclude each other, two other numbers or signs; two things that changed places. Misspellings, words that stand
for each other and words that hardly say anything are no difference.

Covered: words of `lexicon`, mostly English, some of seven other languages; names with a capital letter inside
a sentence. Not covered: opposites that no list has."""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.characters import is_decoration, is_symbol
from finewright.guard.duplicates.code import CALL, OPERATORS, decides, is_code
from finewright.guard.duplicates.lexicon.lists import (
    alone,
    any_opposed,
    are_opposed,
    are_same,
    are_synonyms,
    beside_courtesy,
    courtesy,
    fillers,
    fillers_abroad,
    is_opposite_of_any,
    numerals,
)
from finewright.guard.duplicates.middle import middles
from finewright.guard.duplicates.slips import (
    LONG,
    are_marked_apart,
    is_misspelled,
    is_misspelled_of,
    is_sure_without_marks,
    lacks_marks,
    likely,
    may_be_alike,
)
from finewright.guard.duplicates.spoken import asks_of_text, most_exchanged
from finewright.guard.duplicates.words import (
    NEGATIVE_POWER,
    Spelling,
    is_fact,
    names_in,
    number_of,
    uncapital,
)

_SIGNS = frozenset((*"-+*/%=&|^$€£¥₹", NEGATIVE_POWER))
_LONGEST_MOVED = 3
_FEW = 3
_CONTRACTED = (
    "aint arent cannot cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt neednt shouldnt wasnt"
    " werent wont wouldnt"
)
NOT = frozenset(_CONTRACTED.split())
_HELLO = "hello hi hey dear greetings good thanks thank cheers regards"
_GREETINGS = frozenset(_HELLO.split())
# These hardly say anything beside a greeting; `a day ticket`, `the team account` do.
_TO_WHOM = (
    "day morning afternoon evening team sir madam everyone everybody folks guys guy all friend friends"
    " assistant bot"
)
_GREETED = frozenset(_TO_WHOM.split())
_QUESTIONS = frozenset(["which", "what", "who", "when", "where", "how"])
# Small words that say when, or that one must: `Did I` asks another thing than `May I`, `Can I` the same.
_VERB_KIND = {
    word: kind
    for kind, words in {
        "may": "may might can could will would shall",
        "now": "do does is are am has have",
        "then": "did was were had",
        "must": "must should ought",
    }.items()
    for word in words.split()
}
# Information technology, the United States, and states of theirs.
_ABBREVIATIONS = frozenset(["it", "us", "hi", "ok", "me", "in", "oh"])


class WordDifference(NamedTuple):
    """How two texts differ: are they two things, or not a repeat though perhaps the same question, the words
    left on each side that say something, the words that hardly do, and the words that only look different;
    `words`: those of the words left that are no numbers."""

    is_contrast: bool
    is_no_repeat: bool
    said: tuple[int, int]
    fillers: tuple[int, int]
    num_alike: int
    words: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


NO_DIFFERENCE = WordDifference(False, False, (0, 0), (0, 0), 0)
_CONTRAST = NO_DIFFERENCE._replace(is_contrast=True)


@dataclass(slots=True)
class _Side:
    """The words that one text has and the other has not; `names` are those with a capital somewhere."""

    words: list[str] = field(default_factory=list)
    facts: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def difference(
    one: NDArray[np.uint32],
    other: NDArray[np.uint32],
    spelled_one: Spelling,
    spelled_other: Spelling,
    question: NDArray[np.uint32] | None = None,
) -> WordDifference:
    """How two texts, as numbers of words, differ; their order is not looked at but for `exchanged`.
    `question`: the one that they answer, where they are answers.

    A contrast that is seen at once is given alone: nothing else is counted then."""
    plain, plain_other = uncapital(one), uncapital(other)
    between = middles(plain, plain_other)
    if not len(between.one) and not len(between.other):
        return NO_DIFFERENCE
    a, b = Counter(between.one.tolist()), Counter(between.other.tolist())
    left = _side(one, _in_order(a - b, plain), spelled_one)
    right = _side(other, _in_order(b - a, plain_other), spelled_other)
    num_alike = _without_numerals(left, right)
    if (left.facts and right.facts) or _tells(left, right) or _tells(right, left):
        return _CONTRAST
    if any(map(is_decoration, left.words)) and any(map(is_decoration, right.words)):
        return _CONTRAST
    most = 0
    if left.words and right.words:
        most = most_exchanged(plain, plain_other, plain if question is None else question)
    num_alike += _without_alike(left, right, most)
    # Small words count here, as in `from` and `to`.
    are_opposite = any_opposed(left.words, right.words)
    is_other_code = _is_other_code(left, right) and is_code(plain.tolist(), plain_other.tolist())
    texts = (_Words(plain, spelled_one), _Words(plain_other, spelled_other))
    is_answer = question is not None
    dropped = _without_fillers(left, right, texts, is_answer=is_answer)
    num_facts = [len(side.facts) for side in (left, right)]
    return WordDifference(
        are_opposite or _is_contrast(left, right) or _is_exchange(plain, plain_other),
        is_other_code or _is_opposite_replaced(left, right),
        (len(left.words) + num_facts[0], len(right.words) + num_facts[1]),
        dropped,
        num_alike,
        (tuple(left.words), tuple(right.words)),
    )


def _in_order(only: Counter[int], words: NDArray[np.uint32]) -> list[int]:
    """The counted words in the order in which the text first has them."""
    if len(only) > 1:
        where = words.tolist()
        return [word for key in sorted(only, key=where.index) for word in [key] * only[key]]
    return list(only.elements())


def _side(words: NDArray[np.uint32], only: Sequence[int], spelled: Spelling) -> _Side:
    side = _Side()
    names = names_in(words) if only else frozenset()
    for number in only:
        word = spelled.get(number)
        if is_fact(number) or word is None:
            side.facts.append(number)
            continue
        side.words.append("not" if word in NOT else word)
        if number in names:
            side.names.add(word)
    return side


def _without_numerals(left: _Side, right: _Side) -> int:
    """Take out `ten` beside `10`; a number word that is left is a number."""
    digits = numerals()
    for side in (left, right):
        side.facts += [number_of(digits[word]) for word in side.words if word in digits]
        side.words = [word for word in side.words if word not in digits]
    common = Counter(left.facts) & Counter(right.facts)
    for side in (left, right):
        side.facts = list((Counter(side.facts) - common).elements())
    return common.total()


def _tells(side: _Side, rival: _Side) -> bool:
    """Has one side a word that makes a contrast, and that nothing on the other can stand for?"""
    if "".join(side.words) == "".join(rival.words):
        return False
    return any(
        is_telling(word, side.names)
        and not may_be_unsaid(word)
        and not any(may_be_alike(word, other) for other in rival.words)
        for word in side.words
    )


def _without_alike(left: _Side, right: _Side, most_synonyms: int) -> int:
    """Take out the pairs of words that only look different, or are synonyms, up to so many of these; how many
    there were."""
    if left.words and "".join(left.words) == "".join(right.words):
        num = min(len(left.words), len(right.words))
        left.words, right.words = [], []
        return num
    others, kept = list[str | None](right.words), []
    for word, places in zip(left.words, likely(left.words, right.words), strict=True):
        for place in places:
            other = others[place]
            if other is None:
                continue
            is_same = _are_alike(word, other, left, right)
            if is_same or (most_synonyms and are_synonyms(word, other)):
                most_synonyms -= not is_same
                others[place] = None
                break
        else:
            kept.append(word)
    num = len(left.words) - len(kept)
    left.words, right.words = kept, [word for word in others if word is not None]
    return num


def _are_alike(one: str, other: str, left: _Side, right: _Side) -> bool:
    are_names = one in left.names and other in right.names
    if one == other or are_same(one, other):
        return True
    if lacks_marks(one, other) and (are_names or is_sure_without_marks(one, other)):
        return True
    if are_marked_apart(one, other):
        return False
    if not is_misspelled(one, other) or are_opposed(one, other) or {one, other} <= alone():
        return False
    return not are_names or min(len(one), len(other)) > LONG


@dataclass(frozen=True)
class _Words:
    """A text as numbers of words, and what they spell."""

    numbers: NDArray[np.uint32]
    spelled: Spelling

    @cached_property
    def all(self) -> frozenset[str | None]:
        """Its different words, which few differences ask for."""
        return frozenset(map(self.spelled.get, self.numbers.tolist()))


def _without_fillers(
    left: _Side, right: _Side, texts: tuple[_Words, _Words], *, is_answer: bool
) -> tuple[int, int]:
    """Take out the words that hardly say anything; how many there were on each side."""
    sides = (left, right)
    found = [
        [word for word in side.words if _is_filler_here(word, side, rival, text)]
        for side, rival, text in zip(sides, reversed(sides), texts, strict=True)
    ]
    for side, words in zip(sides, found, strict=True):
        side.words = [word for word in side.words if word not in words]
    if not is_answer and (left.words or right.words) and asks_of_text(texts[0].all):
        return len(found[0]), len(found[1])
    return (
        len(found[0]) + _without_courtesy(left, right),
        len(found[1]) + _without_courtesy(right, left),
    )


def _without_courtesy(side: _Side, rival: _Side) -> int:
    """Take out `I hope this helps`, `Sure, here is the answer:`, where one text alone has such words and the
    other none; how many there were."""
    words = side.words
    if rival.words or rival.facts or side.facts or any(is_telling(w, side.names) for w in words):
        return 0
    if courtesy().isdisjoint(words) or not courtesy() | beside_courtesy() >= set(words):
        return 0
    side.words = []
    return len(words)


def _is_filler_here(word: str, side: _Side, rival: _Side, text: _Words) -> bool:
    if word in _GREETED:
        return not _GREETINGS.isdisjoint(text.all)
    if word in _QUESTIONS or word == NEGATIVE_POWER:
        return (_SIGNS if word == NEGATIVE_POWER else _QUESTIONS).isdisjoint(rival.words)
    if word in _VERB_KIND:
        return all(
            _VERB_KIND.get(other, _VERB_KIND[word]) == _VERB_KIND[word] for other in rival.words
        )
    if word in _ABBREVIATIONS and word in side.names:
        return False
    # Of signs alone each says something.
    if is_decoration(word) and not all(said and is_decoration(said) for said in text.all):
        return True
    return _is_english_filler(word) or (_is_filler(word) and _is_foreign(text.all))


@lru_cache(100_000)
def may_be_unsaid(word: str) -> bool:
    """May it hardly say anything, beside some other words?"""
    is_small = word in _GREETED or word in _QUESTIONS or word in _VERB_KIND or _is_filler(word)
    is_sign = word == NEGATIVE_POWER or is_decoration(word)
    return is_small or is_sign or word in courtesy() or word in beside_courtesy()


def _is_foreign(words: frozenset[str | None]) -> bool:
    """Has a text more of other languages' small words than of English ones?"""
    return len(words & fillers_abroad()) > len(words & fillers())


def is_tense(word: str) -> bool:
    """Is it a small word that says when, or that one must or may?"""
    return word in _VERB_KIND


def is_other_tense(one: str, other: str) -> bool:
    """Are they small words that say when, or that one must or may, and other ones? `Do` in `how do I` is as
    `can`."""
    kind, other_kind = (_VERB_KIND.get(word) for word in (one, other))
    is_other = kind and other_kind and kind != other_kind
    return bool(is_other) and {kind, other_kind} != {"now", "may"}


def is_content(number: int, word: str | None) -> bool:
    """Does the word with this number say something?"""
    return word is None or is_fact(number) or not _is_filler(word)


@lru_cache(100_000)
def _is_filler(word: str) -> bool:
    """Does it hardly say anything in one of the languages, misspelled or not?"""
    return _is_english_filler(word) or _is_of(word, fillers_abroad())


@lru_cache(100_000)
def _is_english_filler(word: str) -> bool:
    return _is_of(word, fillers())


def _is_of(word: str, known: frozenset[str]) -> bool:
    if word in known:
        return True
    may_be = len(word) > LONG and word not in alone() and not is_opposite_of_any(word)
    return may_be and is_misspelled_of(word, known)


def _is_contrast(left: _Side, right: _Side) -> bool:
    if left.facts and right.facts:
        return True
    if any(is_telling(word, side.names) for side in (left, right) for word in side.words):
        return True
    return not (_SIGNS.isdisjoint(left.words) or _SIGNS.isdisjoint(right.words))


def _is_other_code(left: _Side, right: _Side) -> bool:
    """Has one text alone a number, a call, an operator or a word that decides what code does?"""
    return any(side.facts or any(map(decides, side.words)) for side in (left, right))


def _is_opposite_replaced(left: _Side, right: _Side) -> bool:
    """Stands a word that has an opposite, on either side, for another one: `blocked` for `usable`?

    Where many words were replaced it is one edit of many."""
    nums = sorted((len(left.words), len(right.words)))
    is_the_point = nums[0] > 0 and nums[1] <= _FEW
    return is_the_point and any(map(is_opposite_of_any, (*left.words, *right.words)))


def is_telling(word: str, names: Set[str]) -> bool:
    """Does it tell two texts apart, wherever it stands in one of them: a name, a negation, a place?"""
    is_sign = word.startswith("--") or word in OPERATORS or is_symbol(word)
    return is_sign or word in alone() or word in names


def _is_exchange(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> bool:
    """Did two things change places: `from A to B`, `from B to A`?"""
    if len(one) != len(other):
        return False
    differing = np.flatnonzero(one != other)
    start, end = int(differing[0]), int(differing[-1]) + 1
    a, b = one[start:end].tolist(), other[start:end].tolist()
    sizes = range(1, _LONGEST_MOVED + 1)
    # Two neighbours that change places are a slip in prose, another call in code, another number in 3.5, 5.3.
    is_slip = CALL not in one[max(0, start - 2) : end] and not all(map(is_fact, a))
    most = len(a) - is_slip
    return any(
        m + n <= most and a[:m] == b[-m:] and a[-n:] == b[:n] and a[m:-n] == b[n:-m]
        for m in sizes
        for n in sizes
    )
