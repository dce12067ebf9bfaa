"""Markdown cut into sections by its headings, each with its place in the text.

Headings are ATX headings (`## Name`) outside fenced code, as in CommonMark 0.31 section 4.2; underlined
headings are not seen."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")


class Section(NamedTuple):
    """A stretch of the text under its headings, outermost first; it is `text[start:end]`."""

    start: int
    end: int
    heading_path: tuple[str, ...]


class _Line(NamedTuple):
    start: int
    end: int
    heading: tuple[int, str] | None
    is_fenced: bool


def sections(text: str, longest: int) -> Iterator[Section]:
    """The sections in order, each with its heading line, none longer than `longest` characters.

    A longer one is cut between paragraphs; a longer paragraph or code block between lines; a longer line
    between words. A heading with nothing under it is no section; but for these all text is in one."""
    path: list[tuple[int, str]] = []
    under: list[_Line] = []
    for line in _lines(text):
        if line.heading:
            yield from _cut(text, under, path, longest)
            level = line.heading[0]
            path = [(above, name) for above, name in path if above < level] + [line.heading]
            under = []
        under.append(line)
    yield from _cut(text, under, path, longest)


def _lines(text: str) -> Iterator[_Line]:
    start, fence = 0, ""
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        mark = _FENCE.match(bare)
        heading = None if fence else _HEADING.match(bare)
        is_fenced = bool(fence or mark)
        if fence:
            closes = mark and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if closes else fence
        elif mark:
            fence = mark[1]
        found = (len(heading[1]), (heading[2] or "").strip()) if heading else None
        yield _Line(start, start + len(line), found, is_fenced)
        start += len(line)


def _cut(
    text: str, lines: list[_Line], path: list[tuple[int, str]], longest: int
) -> Iterator[Section]:
    body = lines[1:] if lines and lines[0].heading else lines
    if not any(text[line.start : line.end].strip() for line in body):
        return
    names = tuple(name for _, name in path)
    start = end = lines[0].start
    for piece_end in _ends(text, lines, longest):
        if piece_end - start > longest and end > start:
            yield from _stripped(text, start, end, names)
            start = end
        end = piece_end
    yield from _stripped(text, start, end, names)


def _ends(text: str, lines: list[_Line], longest: int) -> Iterator[int]:
    """Where the section may be cut: after paragraphs, and inside of those that are too long."""
    block: list[_Line] = []
    for line in lines:
        block.append(line)
        if not line.is_fenced and not text[line.start : line.end].strip():
            yield from _ends_within(text, block, longest)
            block = []
    if block:
        yield from _ends_within(text, block, longest)


def _ends_within(text: str, block: list[_Line], longest: int) -> Iterator[int]:
    if block[-1].end - block[0].start > longest:
        for line in block:
            start = line.start
            while line.end - start > longest:
                space = text.rfind(" ", start + 1, start + longest)
                start = space + 1 if space > 0 else start + longest
                yield start
            yield line.end
    else:
        yield block[-1].end


def _stripped(text: str, start: int, end: int, names: tuple[str, ...]) -> Iterator[Section]:
    piece = text[start:end]
    if piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield Section(start, start + len(piece.strip()), names)
