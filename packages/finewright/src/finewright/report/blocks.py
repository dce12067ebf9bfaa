"""What a report shows, whatever shows it: a terminal, a page, or others.

A report's module returns a `Page`; nothing in it knows where it will be shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from finewright.schema.common import Problem

T = TypeVar("T")


class Text(NamedTuple):
    """A paragraph; several lines are a list.

    "soft" is small print, "code" is set as it stands, "page" is for the page alone and "terminal" for a
    terminal alone."""

    text: str
    tone: Literal["plain", "soft", "code", "page", "terminal"] = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under a header, each row with as many cells; without rows it is not shown.

    `is_for_page` is shown by the page alone."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    is_for_page: bool = False


class Point(NamedTuple):
    """A named value at `x`, with an interval where it has ends.

    `is_main` is a dot, or a full bar, else a ring, or a bar that stands out; `note` is what is told of it;
    `link` is the name of a fold."""

    name: str
    y: float
    low: float | None = None
    high: float | None = None
    x: float = 0.0
    is_main: bool = True
    note: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """What a direction of a plane stands for; shares are shown in percent."""

    title: str = ""
    is_log: bool = False
    is_share: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """Points as a picture, for pages; every figure stands in a table or a text as well.

    "bars" have a length from 0, "intervals" are shares on a line each, "swings" are bars from low to high
    around 0, "scatter" has a name at each point and a line through those that are main, and "lines" join the
    points of a name. `marked` is an upright line across a plane; `heading` stands above the plot where its
    section has more than one."""

    title: str
    kind: Literal["bars", "intervals", "swings", "scatter", "lines"]
    points: Sequence[Point]
    caption: str = ""
    across: Axis = Axis()
    up: Axis = Axis(is_share=True)
    marked: float | None = None
    heading: str = ""


class Quote(NamedTuple):
    """A row, passage or answer of others, and where it stands."""

    where: str
    text: str


class Hyperlink(NamedTuple):
    """A file beside the page, or an address of the web, and what is said of it; a terminal shows it as text.

    `to` is a relative path, or begins with https://."""

    text: str
    to: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that a reader of the page opens by their title; a terminal does not show them."""

    title: str
    blocks: Sequence["Block"]
    name: str = ""
    is_error: bool = False


Block = Text | Table | Plot | Quote | Problem | Fold | Hyperlink
"""What a section is made of."""


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks, under a title if it has one; a terminal does not show those that are for the page alone, and
    details only where it is asked for everything."""

    title: str
    blocks: Sequence[Block]
    is_for_page: bool = False
    is_detail: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report: the answer first, then what must be known of it, then its sections.

    `subject` are a few lower-case words, such as "a decision"."""

    subject: str
    title: str
    answer: str = ""
    about: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    sections: Sequence[Section] = ()
    notice: str = ""


def section(
    title: str, *blocks: Block | None, is_for_page: bool = False, is_detail: bool = False
) -> list[Section]:
    """The section, where it has anything to show beside explanations for the page."""
    there = [block for block in blocks if block is not None and not _is_empty(block)]
    has_more = bool(there) if is_for_page else not all(map(_explains, there))
    return [Section(title, there, is_for_page, is_detail)] if has_more else []


def _explains(block: Block) -> bool:
    return isinstance(block, Text) and block.tone == "page"


def table_of(
    items: Iterable[T], columns: Mapping[str, Callable[[T], str]], title: str = ""
) -> Table:
    """A row for each item, by the name of each column and what it shows of an item."""
    rows = [tuple(cell(item) for cell in columns.values()) for item in items]
    return Table(tuple(columns), rows, title)


def lines(*texts: str, tone: Literal["plain", "soft", "page"] = "plain") -> Text | None:
    """The texts that are not empty, one a line; None where there is none."""
    there = [text for text in texts if text]
    return Text("\n".join(there), tone) if there else None


def _is_empty(block: Block) -> bool:
    return (isinstance(block, Table) and not block.rows) or (
        isinstance(block, Text) and not block.text
    )
