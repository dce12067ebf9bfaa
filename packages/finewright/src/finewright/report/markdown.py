"""A page as Markdown, for cards that lie beside data; text of others cannot become markup."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from finewright.report.blocks import Block, Hyperlink, Page, Section, Table, Text
from finewright.report.text import problem_line
from finewright.schema.common import Problem

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~])")


def as_markdown(page: Page) -> str:
    """The page by its headings; plots and folds are not in it."""
    head = [f"# {_escape_marks(page.title)}", *(f"*{_escape_marks(line)}*" for line in page.about)]
    head += [_escape_marks(problem_line(problem)) for problem in page.problems]
    return "\n\n".join([*head, *(part for s in page.sections for part in _section(s))]) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {_escape_marks(section.title)}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield _table(block.header, block.rows)
    elif isinstance(block, Problem):
        yield _escape_marks(problem_line(block))
    elif isinstance(block, Hyperlink):
        note = f" {_escape_marks(block.note)}" if block.note else ""
        to = block.to if block.to.startswith("https://") else quote(block.to)
        yield f"- [{_escape_marks(block.text)}](<{to}>){note}"
    elif isinstance(block, Text) and block.tone == "code":
        yield f"```\n{block.text}\n```"
    elif isinstance(block, Text):
        found = block.text.splitlines()
        yield (
            "\n".join(f"- {_escape_marks(line)}" for line in found)
            if found[1:]
            else _escape_marks(block.text)
        )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [
        header,
        ["---"] * len(header),
        *([_escape_marks(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _escape_marks(text: str) -> str:
    """The text on one line, with nothing in it that Markdown reads."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
