"""The word lists by which two rows that differ in a word are told apart, read when they are first needed.

`antonyms.txt` has the pairs of WordNet 3.0 (Princeton University; licence beside it) of which both words
are single, without those that differ by a prefix. The others are written by hand: `groups.txt` has words on a
line that exclude each other, `alone.txt` those that change what is said wherever they stand, `fillers.txt`
those that hardly change it in English, `fillers_abroad.txt` in other languages, `asking.txt` how one asks,
`courtesy.txt` words of courtesy, `same.txt` words on a line that stand for each other. Words on a line of
`synonyms.txt` may do so in prose: they are the first sense in WordNet of each, and at least half of its uses
in WordNet's texts, without terms of medicine, law and finance."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files

_ENDINGS = ("ing", "ies", "ed", "es", "s", "d", "e", "ly")
_SAME_ENDINGS = ("s", "d", "ed", "ing")
_SHORTEST = 3
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety hundred"
_PREFIX_PAIRS = (
    ("hyper", "hypo"), ("pre", "post"), ("inter", "intra"), ("macro", "micro"), ("over", "under"),
    ("up", "down"), ("in", "out"), ("mono", "poly"), ("endo", "exo"), ("ante", "post"), ("sub", "super"),
)  # fmt: skip
_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "de", "anti", "mis", "counter", "a")


@cache
def alone() -> frozenset[str]:
    """Words that change what is said wherever they stand: negations, days, months, places."""
    return frozenset(_text("alone").split())


@cache
def fillers() -> frozenset[str]:
    """Words that hardly change what is said: articles, greetings, thanks."""
    return frozenset(_text("fillers").split())


@cache
def fillers_abroad() -> frozenset[str]:
    """The same of six other languages: `die` and `son` say something in English."""
    return frozenset(_text("fillers_abroad").split())


@cache
def asking() -> frozenset[str]:
    """Words of how an answer is to be, that somebody asks, and of courtesy."""
    return frozenset(_text("asking").split())


@cache
def beside_asking() -> frozenset[str]:
    """Words that say nothing more where they stand in a clause with those of asking."""
    return frozenset(_text("beside_asking").split())


@cache
def courtesy() -> frozenset[str]:
    """Words of courtesy, that ask for nothing."""
    return frozenset(_text("courtesy").split())


@cache
def beside_courtesy() -> frozenset[str]:
    """Words that say nothing more where they stand with those of courtesy."""
    return frozenset(_text("beside_courtesy").split())


@cache
def numerals() -> dict[str, str]:
    """Number words -> their digits; `one`, which is rarely a number, is none."""
    small = {word: str(i) for i, word in enumerate(_NUMBERS.split()) if word != "one"}
    return small | {word: str(10 * (i + 3)) for i, word in enumerate(_TENS.split())}


@lru_cache(100_000)
def stem(word: str) -> str:
    """The word without its commonest endings."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word.removesuffix(ending)
    return word


def are_opposed(one: str, other: str) -> bool:
    """Do the words exclude each other, as `open` and `closed`, `paid` and `unpaid`?"""
    if one == other or are_same(one, other):
        return False
    lines = _opposites()
    if any(
        lines.get(a, _NONE) & lines.get(b, _NONE)
        for a, b in ((one, other), (stem(one), stem(other)))
    ):
        return stem(one) != stem(other)
    if any(_are_other_sides(one, other, *pair) for pair in _PREFIX_PAIRS):
        return True
    short, long = sorted((one, other), key=len)
    return any(long == prefix + short for prefix in _PREFIXES) or _are_ful_and_less(one, other)


def any_opposed(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Does a word of the one side exclude one of the other?"""
    known = defaultdict(set)
    for other in others:
        for mark in _marks(other):
            known[mark].add(other)
    return any(
        are_opposed(one, other)
        for one in ones
        for other in set().union(*(known[mark] for mark in _marks(one) if mark in known))
    )


@lru_cache(100_000)
def _marks(word: str) -> frozenset[int | str]:
    """What two words have in common that may exclude each other: a line of a list, or the word that is left
    without a prefix or an ending."""
    lines = _opposites()
    prefixes = (*_PREFIXES, *(prefix for pair in _PREFIX_PAIRS for prefix in pair))
    bare = {word.removeprefix(prefix) for prefix in prefixes}
    ending = word.removesuffix("less").removesuffix("ful")
    return frozenset((*lines.get(word, _NONE), *lines.get(stem(word), _NONE), word, *bare, ending))


def is_opposite_of_any(word: str) -> bool:
    """Has a list an opposite of the word?"""
    return word in _opposites() or stem(word) in _opposites()


def are_same(one: str, other: str) -> bool:
    """Do the words stand for each other, wherever they are?"""
    return other in _same().get(one, ())


def are_synonyms(one: str, other: str) -> bool:
    """Do the words stand for each other in prose?"""
    return other in same_as(one)


@lru_cache(100_000)
def same_as(word: str) -> frozenset[str]:
    """The words that stand for it, somewhere."""
    found = set(_synonyms().get(word, ()))
    for ending in _SAME_ENDINGS:
        if word.endswith(ending):
            bare = word.removesuffix(ending)
            found.update(_inflected(other, ending) for other in _synonyms().get(bare, ()))
    return frozenset(found - {word})


def _inflected(word: str, ending: str) -> str:
    """The word with the ending of another: `examine` as `checked`, `fix` as `repaired`."""
    if ending == "s":
        return f"{word}s"
    if ending == "ing":
        return f"{word.removesuffix('e')}ing"
    return f"{word}d" if word.endswith("e") else f"{word}ed"


_NONE: frozenset[int] = frozenset()


def _are_other_sides(one: str, other: str, left: str, right: str) -> bool:
    """Are the words one, but that they begin with `left` and `right`: hypertension, hypotension?"""
    rests = (word.removeprefix(left) for word in (one, other) if word.startswith(left))
    return any(
        len(rest) >= _SHORTEST and {one, other} == {left + rest, right + rest} for rest in rests
    )


def _are_ful_and_less(one: str, other: str) -> bool:
    ends = [word.endswith("less") for word in (one, other)]
    return any(ends) and one.removesuffix("less").removesuffix("ful") == other.removesuffix(
        "less"
    ).removesuffix("ful")


@cache
def _opposites() -> dict[str, frozenset[int]]:
    return _by_stem([*_lines("groups"), *_lines("antonyms")])


@cache
def _same() -> dict[str, set[str]]:
    return _beside(_lines("same"))


@cache
def _synonyms() -> dict[str, set[str]]:
    return _beside([*_lines("same"), *_lines("synonyms")])


def _beside(lines: Iterable[list[str]]) -> dict[str, set[str]]:
    """Word -> the words on its lines."""
    found: dict[str, set[str]] = defaultdict(set)
    for words in lines:
        for word in words:
            found[word].update(words)
    return dict(found)


def _by_stem(lines: list[list[str]]) -> dict[str, frozenset[int]]:
    """Word and its stem -> the numbers of the lines that they are in."""
    found: dict[str, set[int]] = defaultdict(set)
    for number, words in enumerate(lines):
        for word in words:
            found[word].add(number)
            found[stem(word)].add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def _lines(name: str) -> Iterator[list[str]]:
    return (line.split() for line in _text(name).splitlines() if line)


def _text(name: str) -> str:
    return (files("finewright.guard.duplicates.lexicon") / f"{name}.txt").read_text(
        encoding="utf-8"
    )
