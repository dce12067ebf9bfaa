"""The words of a chunk, for stores that are given words instead of a text."""

from typing import NamedTuple

from finewright.judge.words import words
from finewright.schema.passages import Chunk, Document
from finewright_rag.indexing.chunk import names_above

NAMES = 3
"""A word in the title or a heading counts as often as this many in the text, as in the index in a file."""


class ChunkWords(NamedTuple):
    """The words a chunk is found by, those of the names above it several times, and how many are written."""

    words: list[str]
    num_written: int


def searched(document: Document, chunk: Chunk) -> ChunkWords:
    """The words of the title, the headings and the text."""
    names, text = words(names_above(document, chunk)), words(chunk.text)
    return ChunkWords(names * NAMES + text, len(names) + len(text))
