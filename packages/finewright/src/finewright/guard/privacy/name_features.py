"""What the tagger of names knows of a word: which lists it is in, how it is written, what stands around.

Values in quotes, as JSON, calls, CSV and SQL have them: to the tagger of names each is a line of its own.

The texts that taught the tagger have names between quotes in prose alone, as titles and what people say."""

import lzma
import re
from bisect import bisect_left
from collections.abc import Iterator, MutableSequence, Sequence, Set
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from finewright.guard.privacy.gazetteer import read_word_list

_SIGNS = frozenset({'"', "'"})


_BEFORE = frozenset({":", "=", "(", "[", "{", ",", ";", "\n", "\\"})


_AFTER = frozenset({",", ";", ":", ")", "]", "}", "\n", "\\"})


_IN_NAMES = frozenset(
    {"van", "von", "de", "der", "den", "di", "da", "del", "la", "bin", "al", "-", "."}
)


_MOST_WORDS = 8


PARTICLES = frozenset({
    "van", "von", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "der", "den",
    "zu", "ter", "ten", "bin", "al", "y", "e", "i", "el", "af", "av", "te",
})  # fmt: skip
TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "mister", "dr", "prof", "sir", "lady", "lord", "herr", "herrn", "frau",
    "fräulein", "señor", "señora", "srta", "sr", "sra", "don", "doña", "dra", "monsieur", "madame",
    "mademoiselle", "mme", "mlle", "signor", "signora", "signore", "sig", "sigra", "dott", "dottssa", "ing",
    "dhr", "mevr", "mevrouw", "meneer", "pan", "pani", "panu", "senhor", "senhora", "hr", "fru", "fr",
})  # fmt: skip
# Parts of a surname after a given name or a rank alone: Peter vom Hofe, but the Rubel zum Dollar.
MERGED = frozenset({"vom", "zum", "zur"})
_RANKS = frozenset(
    {"freiherr", "freiherrn", "freifrau", "graf", "gräfin", "ritter", "edler", "edle"}
)
# Who somebody is stands as a title before a listed name: Tochter Anna, Kundin Meier; not Sohn Gottes.
_BEFORE_GIVEN = frozenset({
    "tochter", "sohn", "bruder", "schwester", "mutter", "vater", "tante", "onkel", "enkel", "enkelin",
    "freundin", "patient", "ehefrau", "ehemann",
})  # fmt: skip
_BEFORE_NAME = frozenset({
    "kollege", "kollegin", "nachbar", "nachbarin", "mieter", "mieterin", "vermieter", "kundin", "patientin",
    "zeuge", "zeugin", "kläger", "klägerin",
})  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W\d_]+)*|\n|[^\w\s]")
# What stands where a value was: [IBAN], [DATE_OF_BIRTH].
_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z_]+\]")
_CONTRACTED = re.compile("['\u2019](?:m|ll|ve|re|d|t)$")
_POSSESSIVE = ("'s", "\u2019s")
_LONGEST, _FLAGS = 12, 3
# Capitals within a name: McNamara, DeSantis, O'Neil.
_NAMELIKE = re.compile("(?:Ma?c|De|Di|La|Le|Du|Van|Fitz|[OD]['\u2019])[A-Z]")
_STARTS = frozenset({".", "!", "?", ":", '"', "\n", "\u201c", "\u201e", "\u00ab", "\u00bb"})
# Words of German and of no language around that writes its nouns small.
_GERMAN = frozenset({
    "für", "und", "ich", "nicht", "ist", "wir", "eine", "einen", "einer", "ihre", "wird", "werden", "habe",
    "haben", "mein", "meine", "bitte", "geehrte", "geehrter", "freundlichen", "liebe", "grüße", "gruß",
})  # fmt: skip
_GERMAN_IN_PAIRS = frozenset({
    "der", "die", "das", "dem", "zu", "im", "auf", "bei", "zum", "zur", "von",
})  # fmt: skip


class SplitWords(NamedTuple):
    """The words, signs and line ends of a text, where each begins, and the kinds of those in capitals."""

    texts: list[str]
    starts: list[int]
    kinds: dict[int, str]

    def end(self, at: int) -> int:
        """Where the word at a place ends, without the s of a possessive."""
        return self.starts[at] + len(self.texts[at])

    def kind(self, at: int) -> str:
        """What the word at a place is; a line end before the first and after the last."""
        if not 0 <= at < len(self.texts):
            return "\n"
        return self.kinds.get(at) or kind_of(self.texts[at])

    def lower(self, at: int) -> str:
        """The word at a place as lists have it."""
        return self.texts[at].lower() if 0 <= at < len(self.texts) else "\n"


def words_of(text: str) -> SplitWords:
    """The words of a text, values in quotes set apart; the kind is known at once of what may be of a name."""
    matches = list(_WORD.finditer(text))
    texts = [match[0] for match in matches]
    set_apart(texts)
    kinds = {}
    for at, word in enumerate(texts):
        if word[0].isupper():
            if word.endswith(_POSSESSIVE):
                texts[at] = word[:-2]
            kinds[at] = kind_of(texts[at])
    _call_by_next(texts, kinds)
    return SplitWords(texts, [match.start() for match in matches], kinds)


def _call_by_next(texts: Sequence[str], kinds: dict[int, str]) -> None:
    """Make titles and particles of the words that are one by what stands beside them."""
    for at, kind in tuple(kinds.items()):
        lower, beside = texts[at].lower(), kinds.get(at + 1, "")
        if ("g" in kind or lower in _RANKS) and at + 2 in kinds and texts[at + 1] in MERGED:
            kinds[at + 1] = "p"
        is_called = "g" in beside if lower in _BEFORE_GIVEN else lower in _BEFORE_NAME
        if is_called and not {"g", "s"}.isdisjoint(beside):
            kinds[at] = "T"


def placeholders(text: str, words: SplitWords) -> set[int]:
    """The places of words that stand where a value was: [IBAN], [DATE_OF_BIRTH]."""
    if "[" not in text:
        return set()
    spans = [match.span() for match in _PLACEHOLDER.finditer(text)]
    return {
        at
        for start, end in spans
        for at in range(bisect_left(words.starts, start), bisect_left(words.starts, end))
    }


@lru_cache(maxsize=20_000)
def kind_of(word: str) -> str:
    """A with the lists that a capitalised word is in; T title, p particle, l other, 0 digits, or the sign."""
    if not word[0].isalpha():
        return "0" if word[0].isdigit() else word
    if not word.isalpha() and any(character.isdigit() for character in word):
        return "0"
    lower = word.lower()
    if lower in TITLES:
        return "T"
    if word[0].islower():
        return "p" if lower in PARTICLES else "l"
    return "A" + flags_of(lower)


def flags_of(lower: str) -> str:
    """g a given name, s a surname, p a place, c a common word, n never a name: those that apply, in order.

    Of a word with hyphens, those of all of its parts."""
    known = read_known_words()
    if lower in known:
        flags = known[lower]
    elif "-" in lower:
        parts = [known.get(part, "") for part in lower.split("-")]
        flags = "".join(flag for flag in "gspc" if all(flag in part for part in parts))
    else:
        flags = ""
    is_never = lower in read_word_list("not_names") or _CONTRACTED.search(lower)
    return flags + "n" if is_never else flags


@cache
def read_known_words() -> dict[str, str]:
    """Of each listed word its flags: names of `people.txt.xz`, whose sources the model card names."""
    path = files("finewright.guard.privacy") / "lists" / "people.txt.xz"
    text = lzma.decompress(path.read_bytes()).decode()
    return dict(line.split("\t") for line in text.splitlines())


class WholeText(NamedTuple):
    """What a whole text says of its words: those that it has in small letters, and whether it is German."""

    small: frozenset[str]
    german: str


def around(words: SplitWords) -> WholeText:
    """What the text of these words says of each of them."""
    small = frozenset(word for word in words.texts if word[0].islower())
    return WholeText(small, "D" if is_german(small) else "")


def is_german(lower: Set[str]) -> bool:
    """Whether a text with these words in small letters is one in which every noun has a capital."""
    return not lower.isdisjoint(_GERMAN) or len(lower & _GERMAN_IN_PAIRS) > 1


# What `features` says of a word, in its order: k a kind, w a word, e an ending, and the place it has.
TEMPLATES = (
    "k", "k-1 k", "k k+1", "k-1 k k+1", "k-2 k-1 k", "k k+1 k+2",
    "w", "w-1", "w+1", "w-2 w-1", "w+1 w+2", "w-1 k", "k w+1", "w-2", "w+2",
    "e3", "e4", "e-1", "e+1", "case", "size", "small",
)  # fmt: skip


def features(words: SplitWords, at: int, text: WholeText) -> tuple[str, ...]:
    """What speaks for or against the word at a place being part of a name: a value for each template."""
    word, kind = words.texts[at], words.kind(at)
    one, two, next_, later = (
        words.kind(at - 1),
        words.kind(at - 2),
        words.kind(at + 1),
        words.kind(at + 2),
    )
    before, earlier = words.lower(at - 1), words.lower(at - 2)
    after, last = words.lower(at + 1), words.lower(at + 2)
    if one == "." and two == "T":  # Dr. and Dr are one
        one, two = "T", words.kind(at - 3)
    lower, start = word.lower(), "S" if one in _STARTS else ""
    flags = kind[:_FLAGS]
    return (
        kind + text.german + start, f"{one}|{kind}", f"{kind}|{next_}", f"{one}|{kind}|{next_}",
        f"{two}|{one}|{kind}", f"{kind}|{next_}|{later}",
        lower, before, after, f"{earlier} {before}", f"{after} {last}", f"{before}|{flags}",
        f"{flags}|{after}", earlier, last, lower[-3:], lower[-4:],
        before[-4:] + text.german if one[0] == "A" else "",
        after[-3:] + text.german if next_[0] == "A" else "",
        _case(word, flags), f"{min(len(word), _LONGEST)}{text.german}",
        flags if lower in text.small else "",
    )  # fmt: skip


def _case(word: str, flags: str) -> str:
    """How a word with a capital is written, where it is not as Anna."""
    if word.isupper():
        return "initial" if len(word) == 1 else f"upper {flags}"
    if "-" in word:
        return "hyphen"
    return (
        ""
        if word[1:].islower()
        else "mixed"
        if word[0].isupper() and _NAMELIKE.match(word)
        else "camel"
    )


def set_apart(texts: MutableSequence[str]) -> None:
    """Put line ends for the quotes of values of several words, and single quotes for those of one word."""
    if _SIGNS.isdisjoint(texts):
        return
    for first, last in tuple(_values(texts)):
        words = [word for word in texts[first + 1 : last] if word[0].isalnum()]
        for at in (first, last):
            start = at - _is_escaped(texts, at)
            texts[start : at + 1] = ["\n" if len(words) > 1 else "'"] * (at + 1 - start)


def _values(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The places of the two quotes of each value."""
    opened: dict[tuple[str, bool], int] = {}
    for at, word in enumerate(texts):
        if word == "\n":
            opened.clear()
        elif word in _SIGNS:
            sign = word, _is_escaped(texts, at)
            first = opened.pop(sign, -1)
            if first >= 0 and _is_value(texts, first, at):
                yield first, at
            elif first < 0 and _before(texts, at) in _BEFORE:
                opened[sign] = at


def _is_value(texts: Sequence[str], first: int, last: int) -> bool:
    after = texts[last + 1] if last + 1 < len(texts) else "\n"
    inner = texts[first + 1 : last]
    if (
        _before(texts, first) == ","
    ):  # of a row; or of a sentence: Bachelor of Laws, "cum laude", from
        return after in _AFTER and (len(inner) == 1 or any(not word.islower() for word in inner))
    return after in _AFTER or _is_named(inner)


def _is_escaped(texts: Sequence[str], at: int) -> bool:
    """Whether it is a quote of a text that is quoted itself."""
    return at > 0 and texts[at - 1] == "\\"


def _before(texts: Sequence[str], at: int) -> str:
    """What stands in front of the quote at a place; a line end where nothing does."""
    place = at - 1 - _is_escaped(texts, at)
    return texts[place] if place >= 0 else "\n"


def _is_named(inner: Sequence[str]) -> bool:
    """Whether these are few words that a name may have: "Anna Berg" is on the card."""
    may_be = all(word[0].isupper() or word in _IN_NAMES for word in inner)
    return 0 < len(inner) <= _MOST_WORDS and may_be
