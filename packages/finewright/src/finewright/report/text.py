"""A page as plain text for a terminal or a log: aligned tables, and no control codes.

Text of others on a page: what cannot be seen is made visible, and nothing acts."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from finewright.report.blocks import Block, Hyperlink, Page, Quote, Section, Table, Text
from finewright.report.columns import printable, table, wrap
from finewright.schema.common import Problem

# C0 and C1 controls but tab and line feed, soft hyphen, zero-width and bidi marks, line separators,
# variation selectors, tags, halves of surrogate pairs, non-characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0e\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_INDENT = "    "
_HANG = "  "


class Room(NamedTuple):
    """The columns that there are for paragraphs and for tables; None: as many as they take."""

    text: int | None = None
    table: int | None = None


UNBOUNDED = Room()


def as_text(page: Page, room: Room = UNBOUNDED, *, is_whole: bool = True) -> str:
    """The answer, what must be known of it, errors, each section after an empty line, and other problems.

    Without `is_whole` the details are left out, and the last line says how many lines they are. No text can
    move the cursor: control characters become spaces."""
    answer = ": ".join(filter(None, (page.title, page.answer)))
    errors = [p for p in page.problems if p.level == "error"]
    others = [p for p in page.problems if p.level != "error"]
    head = [*filter(None, (page.notice, answer)), *page.about]
    shown = [s for s in page.sections if is_whole or not s.is_detail]
    parts = [
        [*_print_lines(head, room), *_print_lines(map(problem_line, errors), room)],
        *(_section(section, room) for section in shown),
        [*_print_lines(map(problem_line, others), room)],
    ]
    left_out = sum(len(_section(s, room)) for s in page.sections if s not in shown)
    parts.append([f"{left_out} more lines: --all"] if left_out else [])
    return "\n\n".join("\n".join(part) for part in parts if part)


def problem_line(problem: Problem) -> str:
    """`warning: file:row: key: message (hint)`."""
    return f"{problem.level}: {problem.line()}"


def _section(section: Section, room: Room) -> list[str]:
    if section.is_for_page:
        return []
    shown: list[str] = []
    is_after_table = False
    for block in section.blocks:
        found = list(_block(block, room))
        if isinstance(block, Table) and found:
            shown += [""] if shown and (is_after_table or block.title) else []
            is_after_table = True
        elif found:
            is_after_table = False
        shown += found
    title = _print_lines([section.title], room) if section.title and shown else []
    return [*title, *shown]


def _block(block: Block, room: Room) -> Iterator[str]:
    if isinstance(block, Table):
        if block.is_for_page:
            return
        if block.title:
            yield from _print_lines([block.title], room)
        yield from table(block.header, block.rows, room.table).split("\n")
    elif isinstance(block, Quote):
        yield from _print_lines([block.where], room)
        inner = room._replace(text=room.text and max(1, room.text - len(_INDENT)))
        yield from (_INDENT + line for line in _print_lines([block.text], inner))
    elif isinstance(block, Problem):
        yield from _print_lines([problem_line(block)], room)
    elif isinstance(block, Hyperlink):
        link = " ".join(filter(None, (f"{block.text}: {block.to}", block.note)))
        yield from _print_lines([link], room)
    elif isinstance(block, Text) and block.tone != "page":
        yield from _print_lines([block.text], room)


def _print_lines(texts: Iterable[str], room: Room) -> Iterator[str]:
    """The lines of the texts, wrapped to the room."""
    for text in texts:
        for line in text.splitlines() or [""]:
            yield from wrap(printable(line.expandtabs(4)), room.text, _HANG)


def visible(text: str) -> str:
    r"""The text with each character that hides, or turns the text around, as `\u{200b}`.

    The joiners of emoji are shown as well: better an odd emoji than an unseen message."""
    return _HIDDEN.sub(lambda match: f"\\u{{{ord(match[0]):04x}}}", text)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and how many characters are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ... and {len(text) - longest:,} more characters"
