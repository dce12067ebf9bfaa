"""Seed phrases of wallets: words of one BIP-39 list in a row whose checksum fits.

Covered: 12 to 24 words of the lists of the package `mnemonic` (English, Spanish, French, Italian, Portuguese,
Czech, Turkish, Russian, Japanese, Korean, Chinese in both scripts), in either case, numbered, as an array,
Latin ones also without their accents. Not covered: Chinese without spaces between, which is any text; a
phrase with a wrong word; those that everybody has (`published` in `catalog/tokens.yaml`). Time is linear in
the text."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

from finewright.catalog.tokens import read_published
from finewright.errors import MissingExtra
from finewright.guard.privacy.scan import (
    UNSPACED,
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    recogniser,
)
from finewright.plugins import install_command

# A word of a script without spaces may stand right beside one of another: no list has words of both.
_LETTER = (rf"[^\W\d_{UNSPACED}]", rf"(?:(?![\W\d_])[{UNSPACED}])")
_WORD = re.compile(
    "|".join(rf"{letter}+(?:[\u0300-\u036f\u3099\u309a]+{letter}*)*" for letter in _LETTER)
)
# Words of one phrase may be numbered, listed or quoted one by one; a colon begins something else.
_BETWEEN = re.compile(r"[\s,.;()0-9|-]*|[\"'`]\s*,\s*[\"'`]")
_EDGE = re.compile(r"[\n.;|()\"'`]")
# Of one letter of it the package has but two bytes that cannot be decoded.
_MISPRINTS = {"сно\ufffd\ufffd\u0430": "снова"}
_CALLED = re.compile(
    r"mnemonic|mnémo|mnemo|seed|phrase|recover|backup|wallet|secret|words|semilla|frase|palabras|mots|parole|slova"
    r"|kelime|слов|фраз|助记|助記|니모닉|복구|ニーモニック|シード|リカバリー"
)
_REACH = 80
_SIZES = (12, 15, 18, 21, 24)
_FEWEST, _MOST = 12, 24
_BOTH, _FEW_OTHERS, _LONGEST_JOINED = 2, 3, 48
# Of 2,048 words drawn twelve times; who repeats a word all the time writes something else.
_FEWEST_DIFFERENT = 8
_BITS, _WORDS_A_CHECK_BIT, _BYTE = 11, 3, 8
_SHORTEST_TEXT = 2 * _FEWEST - 1


class _Candidate(NamedTuple):
    """Words `first` to `last` of a run, whose checksum fits; the fewer `open_ends`, the likelier."""

    open_ends: int
    first: int
    last: int


# What is beyond ASCII stays: signs there stand between no two words of a phrase.
_LETTERS_ALONE = bytes(b if bytes([b]).isalpha() or b > 127 else 0x20 for b in range(256))  # noqa: PLR2004
# Ten, for the words at both ends may be glued to something.
_LISTED_RUN = b"\1" * (_FEWEST - 2)
_FIFTH = 5
_TWO_FIFTHS = b"\1\1"


def recognisers() -> tuple[Recogniser, ...]:
    """Seed phrases of wallets."""
    return (recogniser(mnemonic, "mnemonic", sign=Sign.SEED),)


def mnemonic(scan: Scan) -> Iterator[PersonalSpan]:
    """Phrases of 12, 15, 18, 21 or 24 words.

    Of twelve words in a row one in sixteen fits by chance: amid more than a few other listed words, before it
    and after, one counts only where it is called a phrase and they are not many; one that a line, a sentence
    or quotes begin or end with counts always. A list in its order is no phrase."""
    if not has_seed(scan.lower):
        return
    at = [match.span() for match in _WORD.finditer(scan.text)]
    words = [normal(scan.text[start:end]) for start, end in at]
    for language in _lists():
        numbers = [language.get(word, -1) for word in words]
        for first, last in _runs(scan.text, at, numbers):
            inside = slice(first, last)
            for found in _phrases(scan.text, at[inside], words[inside], numbers[inside]):
                begin, end = first + found.first, first + found.last
                start, stop = at[begin][0], at[end - 1][1]
                is_amid = found.open_ends == _BOTH and last - first > end - begin + _FEW_OTHERS
                if is_amid and not _CALLED.search(scan.before(start, _REACH)):
                    continue
                yield PersonalSpan(start, stop, "mnemonic", 1.0, "a BIP-39 phrase, checksum fits")


def _is_secret(phrase: Sequence[str]) -> bool:
    """Neither one word again and again, nor a phrase that everyone knows."""
    return len(set(phrase)) >= _FEWEST_DIFFERENT and " ".join(phrase) not in read_published()


def normal(word: str) -> str:
    """A word as the lists are compared: lower case, composed."""
    lower = word.lower()
    return lower if lower.isascii() else unicodedata.normalize("NFC", lower)


def has_seed(lower: str) -> bool:
    """Whether ten words in a row are listed. Two of them are fifth words then, which are looked up first."""
    if len(lower) < _SHORTEST_TEXT:
        return False
    listed, words = _bytes_of_lists(), _words_in(lower)
    fifths = bytes(map(listed.__contains__, words[_FIFTH - 1 :: _FIFTH]))
    at = fifths.find(_TWO_FIFTHS)
    while at >= 0:
        # The four words between these two are of the run, and of those around as many as make ten.
        first = at * _FIFTH
        if all(map(listed.__contains__, words[first + _FIFTH : first + 2 * _FIFTH])):
            around = words[first : first + 3 * _FIFTH]
            if _LISTED_RUN in bytes(map(listed.__contains__, around)):
                return True
        at = fifths.find(_TWO_FIFTHS, at + 1)
    return False


def _words_in(lower: str) -> Sequence[bytes]:
    """The words in a text, in UTF-8; what parts those of a phrase is ASCII, or a space."""
    if not lower.isascii():
        lower = " ".join(normal(lower).split())
    return lower.encode("utf-8", "surrogatepass").translate(_LETTERS_ALONE).split()


def _runs(
    text: str, at: Sequence[tuple[int, int]], numbers: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """First and last of the words in a row that are listed, where there are twelve and more."""
    first = 0
    while first < len(at):
        last = first + 1
        if numbers[first] >= 0:
            while (
                last < len(at)
                and numbers[last] >= 0
                and _BETWEEN.fullmatch(text, at[last - 1][1], at[last][0])
            ):
                last += 1
            if last - first >= _FEWEST:
                yield first, last
        first = last


def _phrases(
    text: str, at: Sequence[tuple[int, int]], words: Sequence[str], numbers: Sequence[int]
) -> Sequence[_Candidate]:
    """The phrases of a run: those that stand alone, then the longer, whose checksums prove more.

    Of two that overlap, each with an end among other words, either may be meant: they count as one."""
    edges = [
        0 in (i, i - len(at)) or bool(_EDGE.search(text, at[i - 1][1], at[i][0]))
        for i in range(len(at) + 1)
    ]
    is_long = len(at) > _MOST
    taken = bytearray(len(at))
    kept: list[_Candidate] = []
    for found in sorted(_fitting(numbers, edges, is_long), key=_order):
        is_apart = not any(taken[found.first : found.last])
        is_secret = _is_secret(words[found.first : found.last])
        if is_apart and is_secret:
            kept.append(found)
        elif is_secret and found.open_ends and len(at) <= _LONGEST_JOINED:
            kept, before = [_join_candidates(other, found) for other in kept], kept
            is_apart = kept != before
        if is_apart:
            taken[found.first : found.last] = b"\1" * (found.last - found.first)
    return kept


def _join_candidates(one: _Candidate, other: _Candidate) -> _Candidate:
    """Both as one, if they overlap amid other words; else the first."""
    if not one.open_ends or one.last <= other.first or other.last <= one.first:
        return one
    return _Candidate(one.open_ends, min(one.first, other.first), max(one.last, other.last))


def _order(found: _Candidate) -> tuple[bool, int, int, int]:
    return found.open_ends > 0, found.first - found.last, found.open_ends, found.first


def _fitting(numbers: Sequence[int], edges: Sequence[bool], is_long: bool) -> Iterator[_Candidate]:
    for first in range(len(numbers) - _FEWEST + 1):
        for size in _SIZES:
            last = first + size
            if last > len(numbers):
                break
            open_ends = 2 - edges[first] - edges[last]
            has_end = open_ends < _BOTH or not is_long or len(numbers) - size <= _FEW_OTHERS
            if has_end and fits(numbers[first:last]):
                yield _Candidate(open_ends, first, last)


def fits(numbers: Sequence[int]) -> bool:
    """Whether the last bits of the words' numbers begin the SHA-256 of the others (BIP-39), in no list's
    order."""
    whole = 0
    for number in numbers:
        whole = whole << _BITS | number
    num_check = len(numbers) // _WORDS_A_CHECK_BIT
    entropy = (whole >> num_check).to_bytes((len(numbers) * _BITS - num_check) // _BYTE, "big")
    check = sha256(entropy).digest()[0] >> (_BYTE - num_check)
    is_check = check == whole & ((1 << num_check) - 1)
    return is_check and any(one >= other for one, other in pairwise(numbers))


@cache
def _lists() -> tuple[Mapping[str, int], ...]:
    """Of each language the number of each word; a Latin word also without its accents."""
    library = _library()
    return tuple(_number_words(library(language).wordlist) for language in library.list_languages())


def _number_words(words: Sequence[str]) -> Mapping[str, int]:
    numbers = {normal(_MISPRINTS.get(word, word)): i for i, word in enumerate(words)}
    for word, number in tuple(numbers.items()):
        if not word.isascii():
            letters = unicodedata.normalize("NFD", word)
            numbers.setdefault("".join(c for c in letters if not "\u0300" <= c <= "\u036f"), number)
    return numbers


@cache
def _bytes_of_lists() -> frozenset[bytes]:
    """The words of all lists, in UTF-8."""
    return frozenset(word.encode() for words in _lists() for word in words)


def _library() -> Any:  # Any: mnemonic is not typed for us
    try:
        from mnemonic import Mnemonic
    except ImportError:
        raise MissingExtra(
            "finding wallet mnemonics needs mnemonic", hint=install_command("[data]")
        ) from None
    return Mnemonic
