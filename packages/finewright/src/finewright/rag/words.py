"""The words of a text, for stores that are given words instead of a text."""

import re
import unicodedata
from typing import NamedTuple

from finewright.rag.chunk import names_above
from finewright.rag.index import Chunk, Document
from finewright.rag.searchable import searchable

NAMES = 3
"""A word in the title or a heading counts as often as this many in the text, as in the index in a file."""

_ACCENTS = re.compile("[\u0300-\u036f]")


class ChunkWords(NamedTuple):
    """The words a chunk is found by, those of the names above it several times, and how many are written."""

    words: list[str]
    num_written: int


class _Kept(dict[int, int]):
    """Letters, marks and numbers as they are, a space for all else; filled as characters are met."""

    def __missing__(self, code: int) -> int:
        kept = unicodedata.category(chr(code))[0] in "LMN"
        return self.setdefault(code, code if kept else ord(" "))


_kept = _Kept()


def words(text: str) -> list[str]:
    """Runs of letters, marks and numbers, in lower case, without the accents of Latin, Greek and Cyrillic.

    Punctuation parts words (`foo_bar`, `a.b/c` and `don't` are several), so that no text is syntax. Scripts
    without spaces are cut into pairs of characters; a single one is found at the end of a run alone."""
    spaced = searchable(text)
    if not spaced.isascii():
        plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", spaced))
        spaced = unicodedata.normalize("NFKC", plain)
    return spaced.lower().translate(_kept).split()


def searched(document: Document, chunk: Chunk) -> ChunkWords:
    """The words of the title, the headings and the text."""
    names, text = words(names_above(document, chunk)), words(chunk.text)
    return ChunkWords(names * NAMES + text, len(names) + len(text))
