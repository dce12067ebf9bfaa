"""Markdown cut into sections by its headings, each with its place in the text.

Headings are those of CommonMark 0.31 outside fenced code: `## Name` (section 4.2), and a line underlined
with `===` or `---` (section 4.3), except that a paragraph of several lines, or a line that ends as a sentence
does, is taken for text above a rule. Front matter, the lines between two `---` at the very start, is no text
of the document."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
# Lines of quotes, lists, tables and HTML are no paragraph's.
_OF_BLOCKS = re.compile(r" {0,3}(?:>|[-+*](?:[ \t]|$)|[0-9]{1,9}[.)](?:[ \t]|$)|\||<)")
# It begins with a key and has no blank line: two rules with text between them are none.
_FRONT_MATTER = re.compile(
    r"---[ \t]*\r?\n(?=[\w.-]+[ \t]*:)(?:[ \t]*\S.*\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)"
)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*\r?$", re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")


class TextSection(NamedTuple):
    """A stretch of the text under its headings, outermost first; it is `text[start:end]`."""

    start: int
    end: int
    heading_path: tuple[str, ...]


class _Line(NamedTuple):
    start: int
    end: int
    heading: tuple[int, str] | None
    is_fenced: bool
    is_underline: bool = False


def title_of(text: str) -> str:
    """The `title` that the front matter names, or ""."""
    front = _FRONT_MATTER.match(text)
    title = _FRONT_TITLE.search(front[0]) if front else None
    return title[1].strip("\"'").strip() if title else ""


def heading_of(text: str) -> str:
    """The first heading of the first level, or ""."""
    found = (line.heading[1] for line in _lines(text) if line.heading and line.heading[0] == 1)
    return next(found, "")


def sections(text: str, longest: int) -> Iterator[TextSection]:
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
    # What may be a heading by the line after it: a paragraph's only line so far.
    alone: _Line | None = None
    is_in_paragraph = False
    for line in _lines_alone(text):
        bare = text[line.start : line.end].rstrip("\r\n")
        mark = _UNDERLINE.match(bare) if alone else None
        is_text = not mark and _is_text(bare, line, is_in_paragraph)
        if alone:
            yield (
                alone._replace(heading=_name_underlined_heading(text, alone, mark[1]))
                if mark
                else alone
            )
        alone = line if is_text and not is_in_paragraph else None
        is_in_paragraph = is_text
        if not alone:
            yield line._replace(is_underline=bool(mark))
    if alone:
        yield alone


def _is_text(bare: str, line: _Line, is_in_paragraph: bool) -> bool:
    """Whether the line begins a paragraph, or goes on with one."""
    if line.is_fenced or line.heading or not bare.strip() or _OF_BLOCKS.match(bare):
        return False
    return is_in_paragraph or not bare.startswith(("    ", "\t"))


def _name_underlined_heading(text: str, line: _Line, mark: str) -> tuple[int, str] | None:
    """The heading that the line is by its underline; None for a sentence above a rule."""
    name = text[line.start : line.end].strip()
    return None if name.endswith((".", ":", ";", ",")) else (1 if mark[0] == "=" else 2, name)


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open behind the line; `fence` is the one that was open before it."""
    mark = _FENCE.match(line)
    if not mark:
        return fence
    closes = fence and mark[1].startswith(fence) and not mark[2].strip()
    return "" if closes else fence or mark[1]


def _lines_alone(text: str) -> Iterator[_Line]:
    front = _FRONT_MATTER.match(text)
    start, fence = front.end() if front else 0, ""
    for line in text[start:].splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        heading = None if fence else _HEADING.match(bare)
        fence, before = _fence_after(bare, fence), fence
        is_fenced = bool(before or fence)
        found = (len(heading[1]), (heading[2] or "").strip()) if heading else None
        yield _Line(start, start + len(line), found, is_fenced)
        start += len(line)


def _cut(
    text: str, lines: list[_Line], path: list[tuple[int, str]], longest: int
) -> Iterator[TextSection]:
    body = [line for line in lines if not line.heading and not line.is_underline]
    if not any(text[line.start : line.end].strip() for line in body):
        return
    names = tuple(name for _, name in path)
    start = end = lines[0].start
    for piece_end in _ends(text, lines, longest):
        if piece_end - start > longest and end > start:
            yield from _strip_section(text, start, end, names)
            start = end
        end = piece_end
    yield from _strip_section(text, start, end, names)


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


def _strip_section(
    text: str, start: int, end: int, names: tuple[str, ...]
) -> Iterator[TextSection]:
    piece = text[start:end]
    if piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield TextSection(start, start + len(piece.strip()), names)
