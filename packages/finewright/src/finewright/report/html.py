"""A page as one self-contained HTML file: no script, no font and no picture from elsewhere.

Its content security policy allows its own style and nothing else, so that no text of a row could load or run
anything even if it were not escaped; every text is, and what hides in it is made visible."""

import base64
import hashlib
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from finewright import __version__
from finewright.report.blocks import Fold, Hyperlink, Page, Plot, Quote, Section, Table, Text
from finewright.report.columns import is_numeric
from finewright.report.plots import draw
from finewright.report.text import problem_line, visible

PAGE_START = "<!DOCTYPE html>\n<!-- A page about {subject}, made by finewright. -->\n"
"""How every page begins, by which it is known that it may be written over."""
_KINDS = {
    "table": Table,
    "plot": Plot,
    "quote": Quote,
    "fold": Fold,
    "link": Hyperlink,
    "text": Text,
}


def as_html(page: Page) -> str:
    """The page as HTML."""
    template, style = _template()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return PAGE_START.format(subject=page.subject) + template.render(
        page=page,
        sections=[section for section in page.sections if _is_shown(section)],
        style=Markup(style),  # noqa: S704 - our own file
        style_digest=digest,
        version=__version__,
    )


@cache
def _template() -> tuple[Template, str]:
    environment = Environment(
        loader=PackageLoader("finewright.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "problem_line": problem_line,
        "draw": lambda plot: Markup(draw(plot)),  # noqa: S704 - plots.py escapes
        "numeric": _numeric,
        "address": _address,
    }
    environment.tests |= {name: _is_a(kind) for name, kind in _KINDS.items()}
    return environment.get_template("page.html"), environment.get_template("style.css").render()


def _address(link: Hyperlink) -> str:
    """The link's path in percent signs, and nothing that could run."""
    return link.to if link.to.startswith("https://") else quote(link.to)


def _numeric(table: Table) -> list[bool]:
    """Which columns hold numbers, to be set flush right."""
    return [is_numeric(column) for column in zip(*table.rows, strict=True)]


def _is_shown(section: Section) -> bool:
    return any(not (isinstance(b, Text) and b.tone == "terminal") for b in section.blocks)


def _is_a(kind: type):  # type: ignore[no-untyped-def]
    return lambda block: isinstance(block, kind)
