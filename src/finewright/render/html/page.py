"""One self-contained page about a data set: no script, no font and no picture from elsewhere.

The page's content security policy allows its own style and nothing else, so that no text of a row can
load or run anything even if it were not escaped; every text is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from finewright.render.html.charts import chart
from finewright.render.html.fill import filled
from finewright.render.html.text import cut, visible
from finewright.schema.quality import Figure, RowRef

PAGE_START = "<!DOCTYPE html>\n<!-- A page about data, made by finewright. -->\n"
_MOST_ROWS = 20
_LONGEST_TEXT = 400
_LONGEST_CELL = 200
_NUMERIC = frozenset("0123456789")


class Entry(NamedTuple):
    """A line of a list, and the row behind it, if there is one."""

    line: str
    row: RowRef | None = None
    level: str = ""


class Table(NamedTuple):
    """Cells under a header; numbers are set flush right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: what it says, its tables, its figures, and its entries."""

    name: str
    title: str
    intro: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    entries: tuple[Entry, ...] = ()
    entries_left_out: int = 0


def data_page(
    title: str,
    about: str,
    sections: Sequence[Section],
    text_of: Callable[[RowRef], str],
    *,
    notice: str = "",
) -> str:
    """The page as HTML, which begins with PAGE_START, and then with the notice.

    `text_of` is what a row says; it is cut, and made visible and harmless."""
    values = {
        "title": title,
        "about": about,
        "notice": notice,
        "sections": sections,
        "most_rows": _MOST_ROWS,
    }
    filters: dict[str, Callable[..., object]] = {
        "row_text": lambda ref: visible(cut(text_of(ref), _LONGEST_TEXT)),
        "cell": lambda text: visible(cut(text, _LONGEST_CELL)),
        "is_number": lambda text: bool(text) and text[0] in _NUMERIC and text[-1] in _NUMERIC,
        "chart": _chart,
        "number": lambda value: f"{value:,.2f}".rstrip("0").rstrip("."),
    }
    return filled("page.html", ("style.css",), values, filters)


def _chart(figure: Figure, prefix: str) -> Markup:
    return Markup(chart(figure, lambda i: f"{prefix}-{i}"))  # noqa: S704 - charts.py escapes
