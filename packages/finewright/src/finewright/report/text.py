"""A page as plain text for a terminal or a log: aligned tables, and no control codes.

Text of others on a page: what cannot be seen is made visible, and nothing acts."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from finewright.report.blocks import Block, Hyperlink, Page, Quote, Section, Table, Text
from finewright.schema.common import Problem

# C0 and C1 controls but tab and line feed, soft hyphen, zero-width and bidi marks, line separators,
# variation selectors, tags, halves of surrogate pairs, non-characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0e\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


# A number, with a unit or an interval behind it; no word such as 0-shot, and no digest.
_NUMERIC = re.compile(r"[-+<]?\s?(?![0-9.,]+-?[A-Za-z]{2})[0-9]")
_GAP = "  "
_INDENT = "    "


def as_text(page: Page) -> str:
    """Problems, the answer, what must be known of it, and each section after an empty line.

    No text can move the cursor: control characters become spaces."""
    answer = ": ".join(filter(None, (page.title, page.answer)))
    head = [*map(problem_line, page.problems), *filter(None, (page.notice, answer)), *page.about]
    parts = ["\n".join(_print_lines(head)), *map(_section, page.sections)]
    return "\n\n".join(part for part in parts if part)


def problem_line(problem: Problem) -> str:
    """`warning: file:row: key: message (hint)`."""
    return f"{problem.level}: {problem.line()}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their header, a column of numbers flush right and any other flush left.

    Wide characters take two cells and combining marks none. Every row has as many cells as the header."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    columns = [_column(column) for column in zip(*cells, strict=True)]
    return "\n".join(_GAP.join(row).rstrip() for row in zip(*columns, strict=True))


def is_numeric(column: Iterable[str]) -> bool:
    """Whether every cell that is not empty begins with a number."""
    filled = [cell for cell in column if cell]
    return bool(filled) and all(_NUMERIC.match(cell) for cell in filled)


def printable(text: str) -> str:
    """The text with a space for each control character, so that it cannot move the cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def _section(section: Section) -> str:
    if section.is_for_page:
        return ""
    shown: list[str] = []
    is_after_table = False
    for block in section.blocks:
        found = list(_block(block))
        if isinstance(block, Table) and found:
            shown += [""] if shown and (is_after_table or block.title) else []
            is_after_table = True
        elif found:
            is_after_table = False
        shown += found
    title = [printable(section.title)] if section.title and shown else []
    return "\n".join([*title, *shown])


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        if block.is_for_page:
            return
        if block.title:
            yield printable(block.title)
        yield table(block.header, block.rows)
    elif isinstance(block, Quote):
        yield printable(block.where)
        yield from (_INDENT + line for line in _print_lines([block.text]))
    elif isinstance(block, Problem):
        yield printable(problem_line(block))
    elif isinstance(block, Hyperlink):
        yield printable(" ".join(filter(None, (f"{block.text}: {block.to}", block.note))))
    elif isinstance(block, Text) and block.tone != "page":
        yield from _print_lines([block.text])


def _print_lines(texts: Iterable[str]) -> Iterator[str]:
    """The lines of the texts."""
    for text in texts:
        yield from (printable(line.expandtabs(4)) for line in text.splitlines() or [""])


def _column(cells: Sequence[str]) -> list[str]:
    width = max(map(_width, cells))
    is_flush_right = is_numeric(cells[1:])
    return [_pad(cell, width, right=is_flush_right) for cell in cells]


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def _width(text: str) -> int:
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def visible(text: str) -> str:
    r"""The text with each character that hides, or turns the text around, as `\u{200b}`.

    The joiners of emoji are shown as well: better an odd emoji than an unseen message."""
    return _HIDDEN.sub(lambda match: f"\\u{{{ord(match[0]):04x}}}", text)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and how many characters are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ... and {len(text) - longest:,} more characters"
