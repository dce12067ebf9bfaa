"""Rows as sequences of hashed words: what near-duplicates and contamination are measured on."""

import re
import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from finewright.errors import MissingExtra
from finewright.guard.duplicates.characters import (
    DECORATION,
    SYMBOL,
    normalize_characters,
    unify_decorations,
)
from finewright.guard.duplicates.layout import without_layout
from finewright.guard.words import UNSPACED, WORD
from finewright.plugins import install_command
from finewright.schema.rows import RowParts

try:
    import numpy as np
except ImportError:
    raise MissingExtra(
        "looking for near-duplicates needs numpy", hint=install_command("[data]")
    ) from None

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(WORD)
# A word with the sign before it that may begin a sentence, or a sign that decides what is said.
_BEFORE = r'(?:(?<!\b[A-Z])(?<!\b[A-Z][a-z])\. ?|[?:;\n\r"\u201c(\[{>#*] ?|! )'
# Operators of code come first: the `*` of a product begins no item, the `(` of a call no sentence.
_OPERATORS = (
    r"(?<=\w)\((?!s\))|(?<=[\w)\]\s])[-+*/%&|^]=(?!=)|(?<=[\w)\]])(?:\+\+|--)(?![\w-])|(?<![\w\s+-])--(?=[A-Za-z_])"
    r"|(?<![\w+-])\+\+(?=[A-Za-z_])|(?<=[\w)\]])\s?(?:<<|>>|[&|^])\s?(?=[\w(])"
    r"|(?<=[\w)\]])\s?\^\s?\{?-(?=\w)|(?<=(?<![\w&])[A-Za-z])#(?!\w)|(?<=\b[CF]) #(?!\w)"
    r"|(?<=[\w)\]]) \* (?=[\w(])|(?<=[\w)\]])\*(?=[\w(])|(?<=[\w)\]])\+(?=[\w(])"
)
_SIGNS = (
    r"(?<=\s)--[A-Za-z][\w-]*|[<>=!]==?|<>|[\u2264\u2265\u2260]|&&|\|\||(?<=[\w)\]])\s?[<>]\s?(?=[\w(-])|(?<=[\w)\]]\s)[<>]\s?(?=['\"])"
    r"|(?<![\w)\]!?])!(?=[\w(])|(?<=[\s(=,])[-+](?=[\w\u221a\u221e])|(?<=\s)[-+*/%=](?=\s)|[$\u20ac\xa3\xa5\u20b9]|(?<=\d)\s?%"
)
# A look ahead at the first sign spares most places the search for each operator: half of the time.
_MAY_OPERATE = r"(?=[-+*/%&|^(<>#]|\s[<>&|^*#])"
_MAY_SIGN = r"(?=[-<>=!&|+*/%$\u20ac\xa3\xa5\u20b9\u2264\u2265\u2260]|\s[<>%])"
_ONE_WORD = f"(?:{WORD}(?:['\u2019][^\\W{UNSPACED}]+)*)"
_TOKEN = re.compile(
    # Most words are plain, and are read at once, with the space between two of them.
    "[A-Za-z]++(?: (?=[A-Za-z])|(?=[ ,.\n]))"
    f"|{_ONE_WORD}"
    f"|{_MAY_OPERATE}(?:{_OPERATORS})"
    f"|{_BEFORE}{_ONE_WORD}"
    f"|{_MAY_SIGN}(?:{_SIGNS})|{SYMBOL}"
)
_DECORATED = re.compile(f"{_TOKEN.pattern}|{DECORATION}")
# In a longer text decoration says nothing.
_MOST_DECORATED = 60
# Typed without it too: m2, x2.
_POWER_OF_LETTER = re.compile(r"(?<=[^\W\d_]) ?\^ ?\{?(?=\d)")
NEGATIVE_POWER = "^-"
"""What stands in 10^-3, and may be left out."""
_APOSTROPHES = re.compile("['\u2019]")
# How these letters are typed where a keyboard lacks them: `Straße`, `Strasse`; `schön`, `schoen`.
_AS_TYPED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "æ": "ae", "å": "aa"})
_ONE_SIGN = {"\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "<>": "!=", "===": "==", "!==": "!="}
_ONE_SIGN |= dict.fromkeys(("^{-", "^ -", "^ {-"), NEGATIVE_POWER)
_DIGITS = re.compile(r"\d+")
_HEX = re.compile(r"(?:0x)?[0-9a-f]+")
MOST_KNOWN = 300_000
# Marks before what is asked and what is answered, by their numbers, which no word has, and by their places.
_PROMPT, _ANSWERED = 4, 8
PROMPT_PLACE, ANSWERED_PLACE, END_PLACE, _NUM_PARTS = 0, 1, 2, 3
FACT, _CAPITAL = 1, 2
_NUM_MARKS = 3
PLAIN = (_PROMPT, _ANSWERED)


class Spelling(Protocol):
    """The words of numbers; of facts nothing is kept."""

    def __getitem__(self, number: int, /) -> str:
        """The folded word of what is no fact."""

    def is_once(self, number: int) -> bool:
        """Whether the word of this number stands once in all rows."""


@dataclass(frozen=True)
class Wording:
    """One row in numbers: the words asked and answered, what else must be equal, how words are spelled."""

    prompt: "NDArray[np.uint32]"
    answered: "NDArray[np.uint32]"
    key: int
    spelled: Spelling


@dataclass(frozen=True, slots=True)
class RowWords:
    """Rows in columns. Row i has `words[starts[i]:starts[i + 1]]`; its answer begins at `answers[i]`.

    See `Vocabulary` for the numbers, whose words are `spelled`."""

    words: "NDArray[np.uint32]"
    starts: "NDArray[np.int64]"
    answers: "NDArray[np.int64]"
    spelled: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True, slots=True)
class Wordings(RowWords):
    """Rows with what tells at once that two are no repeats, and what tells that two are.

    `keys` hash what near rows have in common (the system prompt, the label), `texts` all that counts."""

    keys: "NDArray[np.uint64]"
    texts: "NDArray[np.uint64]"


def fold(text: str) -> str:
    """The text in one form of each character (see `normalize_characters`) and one case."""
    return text.lower() if text.isascii() else normalize_characters(text.casefold()).lower()


def words_of(text: str) -> list[str]:
    """The folded words; where there are none, such as in `:-)`, the characters that are no space.

    Punctuation is left out. Scripts without spaces give a word per character."""
    text = fold(text)
    return _WORD.findall(text) or [char for char in text if not char.isspace()]


def shape_of(word: str) -> str:
    """The word without its digits, `#` in their place; all of a number in hex is digits.

    `uint48` and `uint256` have one shape, as have `2024` and `17`, or two addresses."""
    if _HEX.fullmatch(word) and _DIGITS.search(word):
        return "#"
    return _DIGITS.sub("#", word)


def tokens_of(text: str) -> list[str]:
    """The words as they stand, each with the sign before it that may begin a sentence, and the signs that
    decide what is said: operators and calls of code, signs of arithmetic, currencies, flags (`--force`).

    Of two plain words beside each other the first has the space."""
    if not text.isascii():
        text = normalize_characters(text)
    if "^" in text:
        text = _POWER_OF_LETTER.sub("", text)
    tokens: list[str] = _TOKEN.findall("\n" + text)
    if _WORD.search(text):
        is_short = len(tokens) <= _MOST_DECORATED and not text.isascii()
        with_signs = unify_decorations(text) if is_short else None
        return tokens if with_signs is None else _DECORATED.findall("\n" + with_signs)
    # Of signs alone each character says something.
    every = [char for char in text if not char.isspace()]
    return tokens if len("".join("".join(tokens).split())) == len(every) else every


def word_of(token: str) -> str:
    """The folded word of a token, without signs around it; a sign in its one spelling."""
    return _word_of(_body(token))


def _word_of(body: str) -> str:
    if body.isalpha() and body.isascii():
        return body.lower()
    if any(map(str.isalnum, body)):
        return _APOSTROPHES.sub("", fold(body))
    return _ONE_SIGN.get(body, fold(body))


def _body(token: str) -> str:
    word = token.strip()
    if word.isalpha():
        return word
    return word.lstrip('.?:;"\u201c([{>#*! \n\r') if any(map(str.isalnum, word)) else word


class Vocabulary(dict[str, int]):
    """Token -> its place among `numbers` and `words`; the number of a word is the same in every process.

    Of 32 bits. Even: a word of language; odd: a fact, that is a word with a digit in it. A word with a
    capital letter inside a sentence has its number plus 2: see `uncapital`."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = array("I", (_PROMPT, _ANSWERED, 0))
        self.words = ["", "", ""]

    def __missing__(self, token: str) -> int:
        number, word = _number_token(token)
        self[token] = place = len(self.words)
        self.numbers.append(number)
        self.words.append(word)
        return place

    def read(self, places: Sequence[int], spelled: dict[int, str]) -> "NDArray[np.uint32]":
        """The numbers at these places; what they spell, of those that are no facts, goes to `spelled`.

        Of two words of one number the first that is met is kept, whatever was known before and wherever the
        memory of tokens was emptied: so what a slice of rows spells is the same wherever it is read."""
        at = np.array(places, np.int64)
        numbers = np.array(self.numbers, np.uint32)
        first = np.full(len(numbers), len(at))
        first[at[::-1]] = np.arange(len(at))[::-1]
        first[are_facts(numbers)] = len(at)
        here = np.flatnonzero(first[_NUM_PARTS:] < len(at)) + _NUM_PARTS
        here = here[np.argsort(-first[here])]
        words = map(self.words.__getitem__, here.tolist())
        met = dict(zip(uncapital(numbers[here]).tolist(), words, strict=True))
        spelled.update(met | spelled)
        return numbers[at]


_OF_THREAD = threading.local()


def vocabulary_of_thread() -> Vocabulary:
    """The tokens that this thread has read so far, 100 MB at most: most of those of a row were in others."""
    known: Vocabulary | None = getattr(_OF_THREAD, "known", None)
    if known is None or len(known) >= MOST_KNOWN:
        known = _OF_THREAD.known = Vocabulary()
    return known


def _number_token(token: str) -> tuple[int, str]:
    """The number of a token, and its word."""
    body = _body(token)
    if body.islower() and body.isalpha() and body.isascii():
        return number_of(body), body
    word = _word_of(body)
    number = number_of(word if word.isascii() else word.translate(_AS_TYPED))
    is_name = not number & FACT and _is_name(token, body, word)
    return number | _CAPITAL if is_name else number, word


def _is_name(token: str, body: str, folded_word: str) -> bool:
    """Whether it has a capital letter inside a sentence, or the form of a name in code (`onlyOwner`,
    `card_lost`)."""
    if body == folded_word:
        return "_" in body
    is_in_code = "_" in body or (any(map(str.isupper, body[1:])) and not body.isupper())
    return is_in_code or (body == token.rstrip() and body[0].isupper())


def number_of(word: str) -> int:
    """The number of a folded word without its capital."""
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    number = max(int.from_bytes(digest, "little") & 0x3FFFFFFF, _NUM_MARKS) << 2
    return number | bool(_DIGITS.search(word))


def are_facts(words: "NDArray[np.uint32]") -> "NDArray[np.bool_]":
    """Of each number, is it that of a word with a digit in it?"""
    return (words & np.uint32(FACT)).astype(bool)


def are_capital(words: "NDArray[np.uint32]") -> "NDArray[np.bool_]":
    """Of each number, is it that of a word with a capital letter inside a sentence?"""
    return (words & np.uint32(_CAPITAL)).astype(bool)


def uncapital(words: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """The numbers by which words are compared, whatever their case."""
    return words & np.uint32(0xFFFFFFFF ^ _CAPITAL)


def words_in(rows: Iterable[RowParts]) -> RowWords:
    """The words of rows in columns, without what only lays them out and without the system prompt: so a
    question is found under another one."""
    known, places = vocabulary_of_thread(), array("i")
    parts: list[NDArray[np.uint32]] = []
    spelled: dict[int, str] = {}
    starts, answers = [0], list[int]()
    num_before = 0
    for row in rows:
        plain = without_layout(row)
        places.append(PROMPT_PLACE)
        for text in plain.prompt:
            places.extend(map(known.__getitem__, tokens_of(text)))
        answers.append(num_before + len(places))
        places.append(ANSWERED_PLACE)
        for text in plain.answered:
            places.extend(map(known.__getitem__, tokens_of(text)))
        starts.append(num_before + len(places))
        if len(known) >= MOST_KNOWN:
            parts.append(known.read(places, spelled))
            known, places, num_before = vocabulary_of_thread(), array("i"), starts[-1]
    flat = np.concatenate([*parts, known.read(places, spelled)])
    return RowWords(flat, np.array(starts, np.int64), np.array(answers, np.int64), spelled)


def mix_bits(numbers: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """Each number spread over 64 bits: the finaliser of splitmix64 (Steele et al. 2014)."""
    x = numbers.copy()
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def fold_spaces(text: str) -> str:
    """The folded text with plain spaces."""
    return " ".join(fold(text).split())


def digest_of(*parts: Sequence[str]) -> int:
    """Of texts whose spaces are all plain ones, so that no sign that parts them is in them."""
    whole = "\x1e".join(map("\x1f".join, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "little")


def facts_of(words: "NDArray[np.uint32]", starts: "NDArray[np.int64]") -> "NDArray[np.uint64]":
    """Per row a sum over its facts, which does not depend on their order."""
    if not len(starts):
        return np.empty(0, np.uint64)
    wide = words.astype(np.uint64)
    return np.add.reduceat(np.where(wide & np.uint64(1), mix_bits(wide), np.uint64(0)), starts)
