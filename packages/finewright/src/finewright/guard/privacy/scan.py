"""What recognisers share: the text, what is computed of it once, and the spans they yield.

Many texts looked for at once in one pass over another (Aho and Corasick, 1975)."""

import re
import string
from collections.abc import Callable, Iterable, Iterator
from enum import IntFlag, auto
from random import Random
from typing import NamedTuple

from finewright.errors import MissingExtra
from finewright.plugins import install_command
from finewright.schema.privacy import FoundType


class Needles:
    """Needles, each with a number whose bits are gathered where it is found."""

    def __init__(self, needles: Iterable[tuple[bytes, int]]) -> None:
        try:
            from ahocorasick_rs import BytesAhoCorasick
        except ImportError:
            raise MissingExtra(
                "finding secrets needs ahocorasick-rs", hint=install_command("[data]")
            ) from None
        bits: dict[bytes, int] = {}
        for needle, bit in needles:
            bits[needle] = bits.get(needle, 0) | bit
        self._bits = tuple(bits.values())
        self._search = BytesAhoCorasick(list(bits))

    def bits_in(self, text: bytes) -> int:
        """The bits of all needles that stand in the text, also of those within others."""
        found = 0
        for index in {
            match[0] for match in self._search.find_matches_as_indexes(text, overlapping=True)
        }:
            found |= self._bits[index]
        return found


# What people put between the digits of one number, with the no-break forms of space and hyphen.
SEPARATORS = " .\\-/()\u00a0\u202f\u2009\u2010\u2011\u2013"
_NUMBER = re.compile(f"[0-9](?:[{SEPARATORS}]{{0,3}}[0-9])*")
FEWEST_DIGITS = 7
# Thai, Chinese, Japanese, Korean: a number may stand right beside a word.
UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_GLUED = re.compile(rf"[^\W{UNSPACED}]")
LONG_WORD = re.compile("[A-Za-z0-9_+/=~%-]{20}")
_LONG = b"x" * 20
LONGER_WORD = re.compile("[A-Za-z0-9]{50}")
_NOT_DIGITS = re.compile("[^0-9]+")


class PersonalSpan(NamedTuple):
    """A found value: `text[start:end]`, what it is, how sure, and what speaks for it."""

    start: int
    end: int
    type: FoundType
    confidence: float
    why: str


class Number(NamedTuple):
    """A run of digits and separators: where it is, and its digits alone."""

    start: int
    end: int
    digits: str


# For bytes.translate, which with `in` takes a fifth of a regular expression's time.
OUTLINE = bytes.maketrans(
    (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode(),
    b"0" * 10 + b"A" * 26 + b"a" * 26,
)
_OF_LONG_WORD = (string.ascii_letters + string.digits + "_+/=~%-").encode()
_AS_LONG_WORD = bytes.maketrans(_OF_LONG_WORD, b"x" * len(_OF_LONG_WORD))
NO_DIGITS = bytes(set(range(256)) - set(string.digits.encode()))


class Scan:
    """A text as recognisers see it. Offsets are those of `text`; `lower` may have others.

    `lead` is what was said before the text, such as the question that it answers. `bytes` is the text in
    UTF-8, `outline` the same with each digit as `0`, each letter of ASCII as `A` or `a`: `Tel. 089` is
    `Aaa. 000`. Most texts have not the outline of what is looked for, and that is told at once. `has_digits`:
    two in a row, as in all numbers that are looked for. `has_long_word`: of 20 characters (`LONG_WORD`), as
    keys are and prose seldom has; `has_longer_word`: of 50 letters and digits, as private keys are. `numbers`
    are the runs of seven digits and more, of which cards, phones and ids are parts."""

    # All at once: nearly every text is asked for all of them, and a cached property takes longer than most.
    def __init__(self, text: str, lead: str = "") -> None:
        self.text = text
        self._lead = lead
        self.lower = text.lower()
        self.bytes = signs = text.encode("utf-8", "surrogatepass")
        self.outline = signs.translate(OUTLINE)
        self.has_digits = b"00" in self.outline
        self.has_long_word = _LONG in signs.translate(_AS_LONG_WORD)
        self.has_longer_word = self.has_long_word and LONGER_WORD.search(text) is not None
        has_number = len(signs.translate(None, NO_DIGITS)) >= FEWEST_DIGITS
        self.numbers = tuple(_numbers_in(text)) if has_number else ()

    def has_any(self, words: Iterable[str]) -> bool:
        """Whether any of these lower-case words stands in the text."""
        # Without a generator: this is asked many times of each text.
        return next(filter(self.lower.__contains__, words), None) is not None

    def has_outline(self, outlines: Iterable[bytes]) -> bool:
        """Whether any part of the text has one of these outlines."""
        return next(filter(self.outline.__contains__, outlines), None) is not None

    def before(self, start: int, reach: int = 60) -> str:
        """The lower-case text that stands in front of a place."""
        return self.text[max(0, start - reach) : start].lower()

    def leading(self, start: int, reach: int) -> str:
        """The same with what was said before the text, where the text begins within reach."""
        if start >= reach or not self._lead:
            return self.before(start, reach)
        return f"{self._lead[-reach:].lower()}\n{self.text[:start].lower()}"

    def after(self, end: int, reach: int = 30) -> str:
        """The lower-case text that follows a place."""
        return self.text[end : end + reach].lower()

    def is_alone(self, start: int, end: int) -> bool:
        """Whether the place is no part of a longer word or number."""
        text = self.text
        left = text[start - 1] if start else " "
        right = text[end] if end < len(text) else " "
        return not (is_glued(left) or is_glued(right))

    def is_fraction(self, start: int) -> bool:
        """Whether the digits of a decimal number, or of a time of day, begin here."""
        return start > 1 and self.text[start - 1] in ".:" and self.text[start - 2].isdigit()


def _numbers_in(text: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if end - start >= FEWEST_DIGITS:
            digits = only_digits(match[0])
            if len(digits) >= FEWEST_DIGITS:
                yield Number(start, end, digits)


class Sign(IntFlag):
    """What a text has that holds a value: see `sieve`. Every text has the sign `TEXT`."""

    TEXT = auto()
    AT = auto()
    PARTED = auto()
    NUMBER = auto()
    IDENTITY = auto()
    COUNTRY = auto()
    BIRTH = auto()
    RUN = auto()
    PRIVATE = auto()
    SEED = auto()
    PASSWORD = auto()
    LOGIN = auto()
    KEYED = auto()
    BANK = auto()


EVERY_SIGN = sum(Sign)
Recognise = Callable[[Scan], Iterable[PersonalSpan]]
StandIn = Callable[[str, Random], str]
"""From a value and a draw to another value of the same form; the same draw gives the same one."""


class Recogniser(NamedTuple):
    """Who looks for which types, and what may stand for their values where finewright itself knows nothing.

    A plugin of the kind `recogniser` is a function without arguments that returns some of these. A span is
    of one of `types`; its confidence is 0.9 and more where a checksum or an issuer's mark speaks for it,
    and such a span wins against a longer guess. `why` says what was found, and never the value. Nothing is
    found in a text that has not the `sign`."""

    types: frozenset[FoundType]
    recognise: Recognise
    stand_in: StandIn | None = None
    sign: Sign = Sign.TEXT


def recogniser(recognise: Recognise, *types: FoundType, sign: Sign = Sign.TEXT) -> Recogniser:
    """Who looks for these types, in texts with that sign."""
    return Recogniser(frozenset(types), recognise, sign=sign)


def is_glued(character: str) -> bool:
    """Whether a number beside it would be part of a longer word."""
    return _GLUED.match(character) is not None


def only_digits(text: str) -> str:
    """The ASCII digits of a text."""
    return _NOT_DIGITS.sub("", text)


def words(*alternatives: str) -> re.Pattern[str]:
    """A pattern of whole lower-case words, any of them."""
    letter = rf"[^\W{UNSPACED}]"
    return re.compile(rf"(?<!{letter})(?:{'|'.join(alternatives)})(?!{letter})")
