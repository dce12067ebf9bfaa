"""Which signs of values a text has, seen before any recogniser looks: most texts have none.

Words are looked for all at once (Aho and Corasick, by `ahocorasick-rs`), numbers in the text's outline. A
text may have a sign and no value; one with a value has its sign: the tests hold every recogniser to that."""

import re
import string
from collections.abc import Sequence
from functools import cache
from itertools import product

from finewright.guard.privacy.assigned import KEY_WORDS, PASSWORD_WORDS
from finewright.guard.privacy.bank_numbers import SHORT_ANSWER, spellings
from finewright.guard.privacy.births import CALLED, DATED
from finewright.guard.privacy.mnemonics import has_seed
from finewright.guard.privacy.scan import (
    FEWEST_DIGITS,
    NO_DIGITS,
    OUTLINE,
    SEPARATORS,
    Needles,
    Sign,
)

# As numbers: on members of an enumeration `|` takes ten times as long.
(
    _TEXT, _AT_SIGN, _PARTED, _NUMBER, _IDENTITY, _COUNTRY, _BIRTH, _RUN, _PRIVATE, _SEED, _PASSWORD, _LOGIN,
    _KEYED, _BANK,
) = map(int, Sign)  # fmt: skip
# Bits of words that are a sign only together with something else, beyond those of `Sign`.
_BORN, _KEY, _TOKEN, _SCHEME = (1 << bit for bit in range(32, 36))
# `(at)`, `( at )`, and a bracket before a sign or a space beyond ASCII, as of `ät`.
_SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "
_AT = ("@", *(f"{opening}{sign}" for opening, sign in product("([{", ["at", *_SPACES])))
_AT_BEYOND = tuple(
    bytes([ord(opening), lead]) for opening, lead in product("([{", range(0xC2, 0xF5))
)
_OF_RUNS = (string.ascii_letters + string.digits + "_+/=~%.-").encode()
_AS_RUN = bytes.maketrans(_OF_RUNS, b"\0" * len(_OF_RUNS))
_SHORT, _LONG, _LONGEST, _BYTES = bytes(15), bytes(20), bytes(50), 32
_SEVEN = re.compile(f"[0-9](?:[{SEPARATORS}]{{0,3}}[0-9]){{{FEWEST_DIGITS - 1}}}")
# Of the outline: three dots between digits as close as in an IPv4 address, colons as close as in an IPv6 one.
_DOTS, _COLONS = re.compile(rb"0\.0{1,3}\.0{1,3}\.0"), re.compile(rb":[0aA]{0,4}:")
_LETTERED = (b"A0", b"A-0", b"A 0")
_STATED = tuple(b"%c%c00" % pair for pair in product(b"Aa", b"Aa"))


def signs_in(texts: Sequence[str]) -> list[int]:
    """The signs of each text, as one number."""
    return [_signs_of(text) for text in texts]


def _signs_of(text: str) -> int:
    signs = text.encode("utf-8", "surrogatepass")
    lower = text.lower()
    found = _TEXT | _needles_of_words().bits_in(lower.encode("utf-8", "surrogatepass"))
    outline = signs.translate(OUTLINE)
    runs = signs.translate(_AS_RUN)
    if _SHORT in runs:
        is_keyed = found & _KEY and b"0" in outline
        found |= _KEYED if is_keyed else 0
        found |= _RUN if found & _TOKEN or _LONG in runs else 0
        found |= _PRIVATE if _LONGEST in runs else 0
    if b":" in outline and _COLONS.search(outline):
        found |= _PARTED
    if found & _SCHEME and b"@" in signs:
        found |= _LOGIN
    if b"000" in outline and len(text) <= SHORT_ANSWER:
        found |= _BANK
    if b"0" in outline:
        found |= _of_digits(text, signs, outline, bool(found & _BORN))
    if has_seed(lower):
        found |= _SEED
    return found & (_BORN - 1)


def _of_digits(text: str, signs: bytes, outline: bytes, is_born: bool) -> int:
    found = 0
    if b"0.0" in outline and _DOTS.search(outline):
        found |= _PARTED
    num_digits = len(signs.translate(None, NO_DIGITS))
    if num_digits >= FEWEST_DIGITS and _SEVEN.search(text):
        found |= _NUMBER
    if num_digits >= _BYTES and b"[" in signs and signs.count(b",") >= _BYTES - 1:
        found |= _PRIVATE
    if is_born and _has(outline, DATED):
        found |= _BIRTH
    if b"00" in outline:
        if found & _NUMBER or b"00000" in outline or _has(outline, _LETTERED):
            found |= _IDENTITY
        if _has(outline, _STATED):
            found |= _COUNTRY
    return found


def _has(outline: bytes, parts: Sequence[bytes]) -> bool:
    return next(filter(outline.__contains__, parts), None) is not None


@cache
def _needles_of_words() -> Needles:
    of: dict[int, Sequence[str]] = {
        _AT_SIGN: _AT,
        _PASSWORD: PASSWORD_WORDS,
        _BANK: tuple(spellings()),
        _BORN: CALLED,
        _KEY: KEY_WORDS,
        _TOKEN: ("xox", "eyj"),  # which have no word of twenty characters
        _SCHEME: ("://",),
    }
    pairs = [(word.encode(), bit) for bit, words in of.items() for word in words]
    return Needles([*pairs, *((sign, _AT_SIGN) for sign in _AT_BEYOND)])
