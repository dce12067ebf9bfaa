"""Documents cut into chunks: by headings, then paragraphs, then sentences, lines and words.

A chunk never spans two sections, so its heading path is true of all of it. Within a section it takes as many
whole paragraphs as fit (recursive splitting with merging, as in LangChain's RecursiveCharacterTextSplitter);
a block of code that fits is never cut."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from finewright.rows.sections import TextSection, sections
from finewright.schema.passages import Chunk, Document

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")
# After the mark and what closes with it; the scripts of East Asia put no space after theirs.
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u061f\u06d4\u0964][\"')\]\u201d\u2019\u00bb]*\s+|[\u3002\uff01\uff1f][\u300d\u300f\u201d]*\s*"
    r"|\n(?=[ \t]*(?:[-+*>|]|\d{1,9}[.)])[ \t])"
)
_WITHIN_BLOCKS = (_SENTENCE_END, re.compile(r"\n"), re.compile(r"\s+"))
_LINES = 2
_MARKS = "#=- \t\r\n"


class _Span(NamedTuple):
    start: int
    end: int
    is_code: bool = False


def chunks(document: Document, longest: int) -> list[Chunk]:
    """The document's chunks in order, none longer than `longest` characters, each with its place.

    All text is in one, but for white space around them, front matter, and headings with nothing under them,
    which are in the heading paths of those below."""
    text = document.text
    spans = (
        (start, end, section.heading_path)
        for section in sections(text, max(longest, len(text)))
        for start, end in _pack_units(text, section, longest)
    )
    return [
        Chunk(number, text[start:end], heading_path, start, end)
        for number, (start, end, heading_path) in enumerate(spans)
    ]


def text_to_index(document: Document, chunk: Chunk) -> str:
    """What is embedded and searched for a chunk: the document's title, the headings and the text.

    A chunk out of the middle of a document says so little by itself that the names above it are worth their
    place (Anthropic, "Contextual Retrieval", 2024, with a model; here it costs nothing)."""
    names = names_above(document, chunk)
    return f"{names}\n\n{chunk.text}" if names else chunk.text


def names_above(document: Document, chunk: Chunk) -> str:
    """The document's title and the chunk's headings, each once, joined by " > "."""
    return " > ".join(dict.fromkeys(name for name in (document.title, *chunk.heading_path) if name))


def _pack_units(text: str, section: TextSection, longest: int) -> Iterator[tuple[int, int]]:
    """As many whole units as fit, without the white space around them."""
    start = end = last = section.start
    name = section.heading_path[-1] if section.heading_path else None
    for unit_end in _ends(text, _Span(section.start, section.end), longest, 0):
        # White space at the end needs no place; that of units before has been looked through.
        trimmed = _trim_end(text, end, unit_end)
        last = trimmed if trimmed > end else last
        if last - start > longest and end > start:
            if text[start:end].strip(_MARKS) != name:
                yield from _strip_span(text, start, end)
            start = _next_word(text, end)
        end = unit_end
    yield from _strip_span(text, start, end)


def _ends(text: str, span: _Span, longest: int, level: int) -> Iterator[int]:
    """Where the units end: the largest that fit, of blocks, sentences, lines, words and characters."""
    if span.end - span.start <= longest:
        yield span.end
    elif level == 0:
        for block in _blocks(text, span):
            yield from _ends(text, block, longest, _LINES if block.is_code else 1)
    elif level <= len(_WITHIN_BLOCKS):
        ends = [m.end() for m in _WITHIN_BLOCKS[level - 1].finditer(text, span.start, span.end)]
        for start, end in pairwise(dict.fromkeys((span.start, *ends, span.end))):
            yield from _ends(text, _Span(start, end), longest, level + 1)
    else:
        yield from range(span.start + longest, span.end, longest)
        yield span.end


def _closes(mark: re.Match[str], fence: str) -> bool:
    return mark[1].startswith(fence) and not mark[2].strip()


def _blocks(text: str, span: _Span) -> Iterator[_Span]:
    """Paragraphs, each with the blank lines after it, and fenced blocks of code (CommonMark 4.5)."""
    start = at = span.start
    fence, is_blank = "", False
    for line in text[span.start : span.end].splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            if mark and _closes(mark, fence):
                yield _Span(start, at + len(line), is_code=True)
                start, fence = at + len(line), ""
        elif mark or (is_blank and line.strip()):
            if at > start:
                yield _Span(start, at)
            start, fence = at, mark[1] if mark else ""
        is_blank = not fence and not line.strip()
        at += len(line)
    if at > start:
        yield _Span(start, at, is_code=bool(fence))


def _strip_span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    start, end = _next_word(text, start), _trim_end(text, start, end)
    if start < end:
        yield start, end


def _trim_end(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _next_word(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start
