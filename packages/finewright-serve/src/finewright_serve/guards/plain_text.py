"""A text as a reader sees it, and what it says where it is encoded: attacks are written in every such way.

    hidden characters out -> one form of each letter (NFKC) -> look-alikes as Latin -> decoded blobs beside it

Covered: zero-width signs, Unicode tags (which are read), letters of mathematics and full width, Greek and
Cyrillic look-alikes within Latin words, letters with blanks between (`i g n o r e`), base64, hex, ROT13. Not
covered: pictures of letters, codes that two people agreed on, encodings within encodings."""

import codecs
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from finewright.guard.blobs import decode_texts
from finewright.guard.hidden import LOOK_ALIKES

_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}
_UNSEEN = dict.fromkeys(
    [
        *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xAD, 0x180E,
        0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
        0xE0000, 0xE0001, 0xE007F,
    ]
)  # fmt: skip
_LATIN, _OTHER = re.compile("[a-zA-Z]"), re.compile("[\u0370-\u052f]")
_WORDS = re.compile(r"\w+")
_GAPS = " .-_*|,!?'\""
_SPACED = re.compile(rf"(?<![^\W_])(?:[^\W_][{re.escape(_GAPS)}]{{1,4}}){{4,}}[^\W_](?![^\W_])")
_ROT13 = ("vtaber", "vafgehpgvba", "cebzcg", "flfgrz", "cnffjbeq", "erirny", "cerivbhf", "frperg")
"""ignore, instruction, prompt, system, password, reveal, previous, secret: no English word."""


class SeenText(NamedTuple):
    """A text as a reader sees it; `places[i]` is where its character i stands in the text that was given."""

    text: str
    places: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the given text that a part of this one was read from."""
        return self.places[start], self.places[end - 1] + 1


def seen_through(text: str) -> SeenText:
    """The text as a reader sees it. ASCII without spaced letters stays as it is."""
    places: Sequence[int] = range(len(text))
    if not text.isascii():
        signs = [_normal(sign) for sign in text]
        places = [at for at, sign in enumerate(signs) for _ in sign]
        text = "".join(signs)
        text = _WORDS.sub(_latin, text) if _OTHER.search(text) else text
    gaps = {at for match in _SPACED.finditer(text) for at in _gaps(text, *match.span())}
    if gaps:
        kept = [at for at in range(len(text)) if at not in gaps]
        text, places = "".join(text[at] for at in kept), [places[at] for at in kept]
    return SeenText(text, places)


def _gaps(text: str, start: int, end: int) -> Iterator[int]:
    """What stands between spaced letters: a gap of one sign is within a word, a longer one between words, and
    one sign of it stays."""
    for at in range(start, end):
        is_first = text[at - 1] not in _GAPS
        is_last = at + 1 < end and text[at + 1] not in _GAPS
        if text[at] in _GAPS and (not is_first or is_last):
            yield at


@lru_cache(maxsize=4096)
def _normal(sign: str) -> str:
    return unicodedata.normalize("NFKC", sign.translate(_TAGS).translate(_UNSEEN))


def hidden_sayings(text: str) -> list[str]:
    """What encoded parts of the text say."""
    found = [
        each for each in decode_texts(text) if all(c.isprintable() or c in "\n\t\r" for c in each)
    ]
    lower = text.lower()
    if any(word in lower for word in _ROT13):
        found.append(codecs.decode(text, "rot13"))
    return found


def _latin(match: re.Match[str]) -> str:
    """A word that mixes Latin and look-alikes, in Latin; one wholly of another script stays."""
    word = match[0]
    if not _OTHER.search(word) or not _LATIN.search(word):
        return word
    return word.translate(LOOK_ALIKES)
