"""Any report as text, as HTML, and as a file: all that a command needs."""

from pathlib import Path

from pydantic import BaseModel

from finewright.report.layouts import page_of
from finewright.report.text import UNBOUNDED, Room, as_text
from finewright.store.atomic import write_text


def text_of(report: BaseModel, room: Room = UNBOUNDED, *, is_whole: bool = True) -> str:
    """The report as a terminal shows it."""
    return as_text(page_of(report), room, is_whole=is_whole)


def html_of(report: BaseModel) -> str:
    """The report as one self-contained page."""
    from finewright.report.html import as_html

    return as_html(page_of(report))


def write_page(report: BaseModel, path: Path) -> None:
    """Write the report's page; whether it may be written there is asked before, by `check_page`."""
    write_text(path, html_of(report))
