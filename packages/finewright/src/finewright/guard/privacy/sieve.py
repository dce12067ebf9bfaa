"""Which texts have the signs of what recognisers look for: told of thousands of texts at once.

Most texts hold nothing, and to look at each with every recogniser is most of the time that finding takes.
Here the texts stand one after another in an array of bytes, and each sign is a few operations on it: runs
of characters by shifted copies, words by a table for each of their first bytes (as FDR in Wang et al. 2019,
"Hyperscan", section 4.2). A text without the sign of a recogniser holds nothing that it would find; one that
has it may well hold nothing."""

import string
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.privacy.assigned import KEY_WORDS, PASSWORD_WORDS
from finewright.guard.privacy.births import CALLED
from finewright.guard.privacy.mnemonics import beginnings
from finewright.guard.privacy.scan import EVERY_SIGN, SEPARATORS, Sign
from finewright.guard.privacy.spaces import spaces_beyond

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

# After the last text there is enough of nothing for every sign to be looked for at every place.
_END, _BEYOND_ALL = "\0", "\n" * 64
# Of characters: what is looked at takes up to thirty times the memory of the text.
_MOST_AT_ONCE = 1 << 20
_DIGIT, _LETTER, _UPPER, _IN_RUN, _GAP, _BEYOND, _OPENING = (1 << i for i in range(7))
_ALNUM = _DIGIT | _LETTER
_MEMBERS = {
    _DIGIT: string.digits,
    _LETTER: string.ascii_letters,
    _UPPER: string.ascii_uppercase,
    _IN_RUN: string.ascii_letters + string.digits + "_+/=~%.-",
    _GAP: "".join(sign for sign in SEPARATORS if sign.isascii()),
    _OPENING: "([{",
}
_CLASSES = bytes(
    sum(kind for kind, signs in _MEMBERS.items() if chr(byte) in signs)
    if byte < 128  # noqa: PLR2004 - beyond ASCII
    else _BEYOND | _GAP
    for byte in range(256)
)
# Of what is beyond ASCII lower case makes the letters k and i, which words are looked for in.
_FOLDED = ("\u212a".encode(), "\u0130".encode())
_LONGEST_RUN, _LONG_RUN, _SHORT_RUN = 50, 20, 15
_TOKENS_IN_SHORT_RUNS = ("xox", "eyj")
_FEWEST_DIGITS, _FIVE_DIGITS, _YEAR = 7, 5, 4
_WIDEST_GAP, _WIDEST_ASCII_GAP = 10, 4
_FEWEST_BYTES = 32
_LISTED_RUN = 10
_IN_DATES = np.frombuffer(b"-/.", np.uint8)


class _Texts(NamedTuple):
    """The texts as bytes with a NUL after each, the classes of the bytes, and where each text ends."""

    whole: bytes
    bytes: Bytes
    classes: Bytes
    ends: Places

    def having(self, places: Places) -> Flags:
        """Of each text, is one of the places in it?"""
        found = np.zeros(len(self.ends), bool)
        found[np.searchsorted(self.ends, places)] = True
        return found

    def with_count(self, least: int, places: Places) -> Flags:
        """Of each text, are at least so many of the sorted places in it?"""
        counts = np.diff(np.searchsorted(places, self.ends), prepend=0)
        return np.asarray(counts >= least)

    def at(self, places: Places) -> Bytes:
        """The bytes at places, of which some may be beyond an end: what stands there proves nothing."""
        found: Bytes = self.bytes[places.clip(0, len(self.bytes) - 1)]
        return found

    def are(self, kinds: int, places: Places) -> Flags:
        """Is each byte of one of these classes?"""
        found: Flags = (self.classes[places.clip(0, len(self.bytes) - 1)] & kinds) != 0
        return found

    def of(self, kinds: int) -> Places:
        """Where the bytes of these classes stand."""
        return np.flatnonzero((self.classes & kinds) != 0)

    def equal(self, sign: str) -> Places:
        """Where a sign of ASCII stands."""
        return np.flatnonzero(self.bytes == ord(sign))


def signs_in(texts: Sequence[str]) -> list[int]:
    """The signs of each text, as one number."""
    return [signs for part in _parts(texts) for signs in _signs_in(part)]


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts, so many at once that the memory does not grow with their number; a longer one is alone."""
    first, size = 0, 0
    for i, text in enumerate(texts):
        size += len(text) + 1
        if size > _MOST_AT_ONCE and i > first:
            yield texts[first:i]
            first, size = i, len(text) + 1
    if texts:
        yield texts[first:]


def _signs_in(texts: Sequence[str]) -> list[int]:
    whole = _END.join([*texts, _BEYOND_ALL]).encode("utf-8", "surrogatepass")
    signs = np.frombuffer(whole, np.uint8)
    ends = np.flatnonzero(signs == 0)
    if len(ends) != len(texts):  # a NUL within a text, which rows may not have
        return [EVERY_SIGN] * len(texts)
    found = _Texts(whole, signs, np.frombuffer(whole.translate(_CLASSES), np.uint8), ends)
    digits, words = _Digits(found), _Words(found)
    runs = _runs(found)
    has = {
        Sign.AT: _has_at(found),
        Sign.PARTED: _has_dots(found) | _has_colons(found),
        Sign.NUMBER: digits.number,
        Sign.IDENTITY: digits.identity,
        Sign.COUNTRY: digits.country,
        Sign.BIRTH: digits.dated & words.birth,
        Sign.RUN: runs.long | (runs.short & words.token),
        Sign.PRIVATE: digits.bytes | runs.longest,
        Sign.SEED: _has_seed(found),
        Sign.PASSWORD: words.password,
        Sign.LOGIN: _has_login(found),
        Sign.KEYED: runs.short & words.key & digits.any,
    }
    every = np.full(len(texts), Sign.TEXT, np.int64)
    for sign, flags in has.items():
        every |= np.where(flags, np.int64(sign), np.int64(0))
    every[_has_folded(found)] = EVERY_SIGN
    return list(every.tolist())


def _has_folded(texts: _Texts) -> Flags:
    places: list[int] = []
    for sign in _FOLDED:
        at = texts.whole.find(sign)
        while at >= 0:
            places.append(at)
            at = texts.whole.find(sign, at + 1)
    return texts.having(np.array(places, np.int64))


def _in_a_row(flags: Flags, count: int) -> Flags:
    """At which places so many flags in a row begin."""
    size, found = 1, flags
    while size < count:
        step = min(size, count - size)
        found, size = found[:-step] & found[step:], size + step
    return found


class _Runs(NamedTuple):
    longest: Flags
    long: Flags
    short: Flags


def _runs(texts: _Texts) -> _Runs:
    """Runs of letters, digits and the signs of keys: of 50, as private keys are, of 20 and of 15."""
    inside = (texts.classes & _IN_RUN).astype(bool)
    short = _in_a_row(inside, _SHORT_RUN)
    long = _in_a_row(short, _LONG_RUN - _SHORT_RUN + 1)
    longest = _in_a_row(long, _LONGEST_RUN - _LONG_RUN + 1)
    return _Runs(*(texts.having(np.flatnonzero(flags)) for flags in (longest, long, short)))


def _has_at(texts: _Texts) -> Flags:
    """A sign of e-mail addresses, or a bracket before what may be `at`."""
    opening = texts.of(_OPENING)
    one, two = texts.at(opening + 1), texts.at(opening + 2)
    is_letter = (one | 0x20) == ord("a")
    is_at = is_letter & ((two | 0x20) == ord("t"))
    # `( at )`, or a sign beyond ASCII, as of `ät` and of other spaces.
    is_spaced = np.isin(one, _SPACES) & (np.isin(two, _BEGIN_AT) | (two > 127))  # noqa: PLR2004
    return texts.having(texts.equal("@")) | texts.having(
        opening[is_at | is_spaced | (one > 127)]  # noqa: PLR2004 - beyond ASCII
    )


_SPACES = np.frombuffer(b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f ", np.uint8)
_BEGIN_AT = np.frombuffer(b"aA@", np.uint8)


def _has_dots(texts: _Texts) -> Flags:
    """Three dots between digits, as close as in an IPv4 address."""
    dots = texts.equal(".")
    dots = dots[texts.are(_DIGIT, dots - 1) & texts.are(_DIGIT, dots + 1)]
    return texts.having(dots[:-2][dots[2:] - dots[:-2] <= 8])  # noqa: PLR2004 - 1.123.123.1


def _has_colons(texts: _Texts) -> Flags:
    """Two colons, as close as in an IPv6 address."""
    colons = texts.equal(":")
    return texts.having(colons[:-1][np.diff(colons) <= 5])  # noqa: PLR2004 - four digits between


def _has_login(texts: _Texts) -> Flags:
    """`://` and an `@`."""
    colons = texts.equal(":")
    slash = ord("/")
    begins = (texts.at(colons + 1) == slash) & (texts.at(colons + 2) == slash)
    return texts.having(colons[begins]) & texts.having(texts.equal("@"))


class _Digits:
    """What the digits of each text may be part of."""

    def __init__(self, texts: _Texts) -> None:
        at = texts.of(_DIGIT)
        gaps = np.diff(at)
        beside = gaps == 1
        self.any = texts.having(at)
        self.number = texts.having(_begin(at, _in_a_row(_may_go_on(texts, at, gaps), 6)))
        five = texts.having(_begin(at, _in_a_row(beside, _FIVE_DIGITS - 1)))
        self.identity = texts.having(at[:-1][beside]) & (
            self.number | five | _has_capital_before(texts, at)
        )
        self.country = _has_country(texts, at[:-1][beside])
        self.dated = _has_dates(texts, at, gaps)
        self.bytes = (
            texts.with_count(_FEWEST_BYTES, at)
            & texts.with_count(_FEWEST_BYTES - 1, texts.equal(","))
            & texts.having(texts.equal("["))
        )


def _begin(places: Places, flags: Flags) -> Places:
    found: Places = places[: len(flags)][flags]
    return found


def _may_go_on(texts: _Texts, at: Places, gaps: Places) -> Flags:
    """Of each digit, may the next be of the same number: at most three signs between, that part numbers?"""
    found: Flags = gaps == 1
    wide = np.flatnonzero((gaps > 1) & (gaps <= _WIDEST_GAP))
    places, widths = at[wide], gaps[wide]
    is_gap, is_beyond = np.ones(len(wide), bool), widths <= _WIDEST_ASCII_GAP
    for step in range(1, _WIDEST_ASCII_GAP):
        is_gap &= texts.are(_GAP, places + step) | (widths <= step)
        is_beyond |= texts.are(_BEYOND, places + step)
    found[wide[is_gap & is_beyond]] = True
    return found


def _has_capital_before(texts: _Texts, at: Places) -> Flags:
    """A capital letter before a digit, or one space or hyphen between."""
    is_beside = texts.are(_UPPER, at - 1)
    is_apart = np.isin(texts.at(at - 1), _APART) & texts.are(_UPPER, at - 2)
    return texts.having(at[is_beside | is_apart])


_APART = np.frombuffer(b"- ", np.uint8)


def _has_country(texts: _Texts, pairs: Places) -> Flags:
    """Two letters that begin a word, and two digits."""
    is_country = texts.are(_LETTER, pairs - 1) & texts.are(_LETTER, pairs - 2)
    found = pairs[is_country]
    return texts.having(found[~texts.are(_ALNUM, found - 3) | (found < 3)])  # noqa: PLR2004


def _has_dates(texts: _Texts, at: Places, gaps: Places) -> Flags:
    """Four digits, or two with a sign of dates between."""
    year = _begin(at, _in_a_row(gaps == 1, _YEAR - 1))
    signs = np.isin(texts.at(at[:-1] + 1), _IN_DATES)
    is_spaced = (gaps == 3) & (texts.at(at[:-1] + 2) == ord(" "))  # noqa: PLR2004 - `1. 2`
    return texts.having(year) | texts.having(at[:-1][signs & ((gaps == 2) | is_spaced)])  # noqa: PLR2004


class _Words:
    """Which words begin somewhere in each text, whole or within others."""

    def __init__(self, texts: _Texts) -> None:
        begun = [_begun(texts, tables) for tables in _tables()]

        def having(*buckets: int) -> Flags:
            one, other = (
                texts.having(at[(of & bits) != 0])
                for (at, of), bits in zip(begun, buckets, strict=True)
            )
            return one | other

        self.birth, self.password, self.key, self.token = (having(*of) for of in _BUCKETS)


def _begun(texts: _Texts, tables: Sequence[bytes]) -> tuple[Places, Bytes]:
    """Where words of some bucket may begin, and of which buckets."""
    size = len(texts.bytes)
    begun = np.frombuffer(texts.whole.translate(tables[0]), np.uint8).copy()
    for place, table in enumerate(tables[1:_DENSE], start=1):
        begun[: size - place] &= np.frombuffer(texts.whole.translate(table), np.uint8)[place:]
    at = np.flatnonzero(begun != 0)
    of = begun[at]
    # Few places are left, and the other bytes are looked up there alone.
    for place, table in enumerate(tables[_DENSE:], start=_DENSE):
        of &= np.frombuffer(table, np.uint8)[texts.at(at + place)]
    return at, of


# Of each list the buckets that its words are in, of the first eight and of the second.
_LISTS: tuple[Sequence[str], ...] = (CALLED, PASSWORD_WORDS, KEY_WORDS, _TOKENS_IN_SHORT_RUNS)
_BUCKETS = ((0b11111111, 0), (0, 0b1111), (0, 0b1110000), (0, 0b10000000))
_DENSE, _TABLED = 4, 8


@cache
def _tables() -> list[list[bytes]]:
    """Of both eight buckets a table for each of the first bytes: byte -> the buckets that have it there."""
    tables = np.zeros((2, _TABLED, 256), np.uint8)
    for words, of in zip(_LISTS, _BUCKETS, strict=True):
        half = int(not of[0])
        buckets = [np.uint8(1 << i) for i in range(8) if of[half] >> i & 1]
        # In a bucket with a short word any other would be taken for as short a one.
        short = [word for word in words if len(word.encode()) <= _DENSE]
        long = sorted(set(words).difference(short), key=lambda word: (len(word), word))
        first = len(short) > 0
        bucket_of = dict.fromkeys(short, buckets[0]) | {
            word: buckets[first + i * (len(buckets) - first) // len(long)]
            for i, word in enumerate(long)
        }
        for word, bucket in bucket_of.items():
            for place, signs in enumerate(_spellings(word)):
                tables[half, place, signs] |= bucket
    return [[table.tobytes() for table in half] for half in tables]


def _spellings(word: str) -> list[list[int]]:
    """Of each of the first bytes what it may be, in either case; after a short word anything."""
    found = [
        list(pair)
        for sign in word
        for pair in zip(sign.lower().encode(), sign.upper().encode(), strict=True)
    ]
    return (found + [list(range(256))] * _TABLED)[:_TABLED]


# Letters by their place in the alphabet, in five bits; all that is beyond ASCII is one sign.
_WILD = 31
_CODES = bytes(
    _WILD if byte > 127 else (byte & 31) * chr(byte).isalpha()  # noqa: PLR2004
    for byte in range(256)
)
_CODE_BITS, _CODED = 5, 4


@cache
def _listed() -> Flags:
    """Of each four letters, may a word of a list of seed phrases begin with them?"""
    table = np.zeros(1 << _CODE_BITS * _CODED, bool)
    for word in beginnings(_CODED):
        code = 0
        for sign in word.translate(_CODES).ljust(_CODED, b"\0"):
            code = code << _CODE_BITS | sign
        table[code] = True
    codes = np.arange(len(table))
    for place in range(_CODED):
        table |= (codes >> _CODE_BITS * place) & _WILD == _WILD
    return table


def _has_seed(texts: _Texts) -> Flags:
    """Ten words in a row that begin as a list's do. A sign beyond ASCII may part words or be of one; a space
    beyond ASCII parts them as any other."""
    codes = np.frombuffer(texts.whole.translate(_CODES), np.uint8).copy()
    codes[spaces_beyond(texts.bytes)] = 0
    before = np.concatenate([[np.uint8(0)], codes[:-1]])
    is_wild, was_wild = codes == _WILD, before == _WILD
    begins = (codes != 0) & ((before == 0) | (is_wild != was_wild))
    at = np.flatnonzero(begins)
    words = np.diff(np.searchsorted(at, texts.ends, side="right"), prepend=0)
    if words.max(initial=0) < _LISTED_RUN:
        return texts.having(
            at[:0]
        )  # the lists, which take a tenth of a second to make, are not needed
    code = np.zeros(len(at), np.int32)
    for place in range(_CODED):
        code = code << _CODE_BITS | codes[(at + place).clip(max=len(codes) - 1)]
    may_be = _listed()[code] | was_wild[at]
    row = np.flatnonzero(_in_a_row(may_be, _LISTED_RUN))
    first, last = (np.searchsorted(texts.ends, at[each]) for each in (row, row + _LISTED_RUN - 1))
    return texts.having(at[row[first == last]])
