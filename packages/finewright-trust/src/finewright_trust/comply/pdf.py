"""Pages as one PDF to print and file: contents, bookmarks, tables whose headings come again on each page.

The same pages and day give the same bytes. What the font lacks, or would set in the wrong order, stands as
its number, `\\u{4e2d}`: no name may look like another."""

import unicodedata
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, date, datetime, time
from importlib.util import find_spec
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import quote

from finewright import __version__
from finewright.plugins import install_command
from finewright.report.blocks import Fold, Hyperlink, Plot, Quote
from finewright.report.columns import is_numeric
from finewright.report.text import problem_line, visible
from finewright.sdk import Block, MissingExtra, Page, Problem, Section, Table

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.outline import OutlineSection

_FONT = "DejaVu"
"""Latin, Greek and Cyrillic; matplotlib carries it, so the extra names that."""
_BODY, _SMALL, _TITLE, _HEADING = 9.0, 7.5, 17.0, 12.5
"""Points: a point less than the pages' style for print, because DejaVu runs wide."""
_MARGIN, _PADDING = 16.0, 1.0
"""Millimetres around a page, with room to punch holes; and inside a cell."""
_INK, _SOFT, _LINK = (0, 0, 0), (75, 80, 87), (11, 87, 164)
_KEPT = 24.0
"""Millimetres that must be free for a heading and the lines that stand with it."""
_KEPT_WITH_TABLE = 45.0
"""The same of a section: its heading, that of a table, and a row of six lines."""
_LONGEST_WORD = 0.25
"""Of a page's width: a longer word breaks, so that no column takes the room of the others."""
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def missing_library() -> MissingExtra | None:
    """Why no PDF can be made here, and what to install; None where one can."""
    for library in ("fpdf", "matplotlib"):
        if find_spec(library) is None:
            what = f"a PDF needs {library}, which is not installed"
            return MissingExtra(what, hint=install_command("trust[pdf]"))
    return None


def as_pdf(pages: Mapping[str, Page], day: date, root: str = ".") -> bytes:
    """The pages as chapters, by the names of their HTML files; `root` is the way from the PDF's folder to
    theirs. Raises MissingExtra."""
    if refusal := missing_library():
        raise refusal
    from fpdf.fonts import TTFFont

    first = next(iter(pages.values()))
    pdf = _open(f"{first.title}, as of {day}", day)
    font = pdf.fonts[_FONT.lower()]
    drawn = font.cmap if isinstance(font, TTFFont) else ()
    writer = _Writer(pdf, root, {name: pdf.add_link(page=1) for name in pages}, drawn)
    pdf.add_page()
    writer.write(first.title, _TITLE, is_bold=True)
    writer.write(first.notice, _BODY)
    pdf.ln(4)
    pdf.set_font(_FONT, size=_BODY)
    pdf.insert_toc_placeholder(_contents, allow_extra_pages=True)
    for number, (name, page) in enumerate(pages.items()):
        if number:
            pdf.add_page()
        writer.chapter(name, page)
    return bytes(pdf.output())


def _open(footer: str, day: date) -> "FPDF":
    from fpdf import FPDF

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(6 - _MARGIN)
            self.set_font(_FONT, size=_SMALL)
            self.set_text_color(*_SOFT)
            self.cell(0, 4, footer)
            self.set_x(self.l_margin)
            self.cell(0, 4, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Document(format="A4")
    found = find_spec("matplotlib")
    fonts = Path(found.origin if found and found.origin else "").parent / "mpl-data/fonts/ttf"
    pdf.add_font(_FONT, fname=fonts / "DejaVuSans.ttf")
    pdf.add_font(_FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, margin=_MARGIN)
    pdf.set_title(footer)
    pdf.set_lang("en")
    pdf.set_creator(f"finewright {__version__}")
    pdf.set_creation_date(datetime.combine(day, time(), UTC))
    return pdf


def _contents(pdf: "FPDF", outline: Sequence["OutlineSection"]) -> None:
    """A line for each chapter and section, with its page; fpdf2's own sets dots one by one, in a second."""
    height = 1.35 * pdf.font_size
    for item in outline:
        indent = 6.0 * item.level
        link = pdf.add_link(page=item.page_number)
        pdf.set_x(pdf.l_margin + indent)
        room = pdf.epw - indent - 15
        pdf.multi_cell(room, height, item.name, align="L", link=link, new_x="LMARGIN", new_y="LAST")
        number = pdf.pages[item.page_number].get_label()
        pdf.cell(0, height, number, align="R", link=link, new_x="LMARGIN", new_y="NEXT")


class _Writer:
    """Sets blocks on a document, one below the other; `chapters` are the links to its pages by their names,
    `drawn` the characters that its font has."""

    def __init__(
        self, pdf: "FPDF", root: str, chapters: Mapping[str, int], drawn: Container[int]
    ) -> None:
        self.pdf = pdf
        self.root = root
        self.chapters = chapters
        self.drawn = drawn

    def chapter(self, name: str, page: Page) -> None:
        """A page under its own bookmark, its sections under theirs."""
        self.pdf.set_link(self.chapters[name], page=self.pdf.page)
        self.pdf.start_section(self.text(page.title))
        self.write(page.title, _TITLE, is_bold=True)
        self.write(page.answer, _BODY, is_bold=True)
        for line in page.about:
            self.write(line, _SMALL, _SOFT)
        for problem in page.problems:
            self.block(problem)
        for section in page.sections:
            self.section(section)

    def section(self, section: Section) -> None:
        if section.title:
            self.pdf.ln(5)
            self.keep(_KEPT_WITH_TABLE)
            self.pdf.start_section(self.text(section.title), level=1)
            self.write(section.title, _HEADING, is_bold=True)
        for block in section.blocks:
            self.block(block)

    def block(self, block: Block) -> None:
        if isinstance(block, Table):
            self.table(block)
        elif isinstance(block, Fold):
            self.pdf.ln(2)
            self.keep(_KEPT)
            self.write(block.title, _BODY, is_bold=True)
            for inner in block.blocks:
                self.block(inner)
        elif isinstance(block, Hyperlink):
            self.link(block)
        elif isinstance(block, Problem):
            self.write(problem_line(block), _BODY)
        elif isinstance(block, Quote):
            self.write(f"{block.where}\n{block.text}", _SMALL)
        elif isinstance(block, Plot):  # its figures stand in a table or a text as well
            self.write(block.caption, _SMALL, _SOFT)
        elif block.tone != "terminal":
            lines = block.text.splitlines()
            for line in lines:
                self.write(f"\N{BULLET} {line}" if lines[1:] else line, _BODY)

    def link(self, link: Hyperlink) -> None:
        """What can be clicked, and what is said of it, on one line where there is room."""
        self.pdf.set_font(_FONT, size=_SMALL)
        height = self.pdf.font_size * 1.35
        self.pdf.set_text_color(*_LINK)
        self.pdf.write(height, self.text(link.text), self.target(link.to))
        self.pdf.set_text_color(*_SOFT)
        self.pdf.write(height, f"  {self.text(link.note)}" if link.note else "")
        self.pdf.ln(height * 1.25)

    def write(
        self, text: str, size: float, colour: tuple[int, int, int] = _INK, *, is_bold: bool = False
    ) -> None:
        """A paragraph, where there is text."""
        if not text:
            return
        self.pdf.set_font(_FONT, "B" if is_bold else "", size)
        self.pdf.set_text_color(*colour)
        height = self.pdf.font_size * 1.35
        self.pdf.multi_cell(0, height, self.text(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self.pdf.ln(height / 4)

    def table(self, table: Table) -> None:
        """Rows under a header that comes again on each page; no row is cut by the end of one."""
        from fpdf.fonts import FontFace

        if table.title:
            self.keep(_KEPT)
            self.write(table.title, _BODY, is_bold=True)
        rows = [[self.text(cell) for cell in row] for row in (table.header, *table.rows)]
        columns = [*zip(*rows, strict=True)]
        self.pdf.set_text_color(*_INK)
        self.pdf.set_draw_color(190, 195, 200)
        widths = self.widths(columns)
        self.pdf.set_font(_FONT, size=_SMALL)
        with self.pdf.table(
            rows,
            align="L",
            borders_layout="HORIZONTAL_LINES",
            col_widths=widths,
            width=min(sum(widths), self.pdf.epw),
            headings_style=FontFace(emphasis="BOLD", color=_SOFT),
            line_height=self.pdf.font_size * 1.3,
            padding=_PADDING,
            text_align=["R" if is_numeric(column[1:]) else "L" for column in columns],
            v_align="T",
        ):
            pass
        self.pdf.ln(2)

    def widths(self, columns: Sequence[Sequence[str]]) -> list[float]:
        """Of each column, in millimetres: its longest word, and a share of the rest by what it holds
        (CSS 2.1, 17.5.2.2, automatic table layout)."""
        room, most = self.pdf.epw, _LONGEST_WORD * self.pdf.epw
        self.pdf.set_font(_FONT, "B", _SMALL)
        size, inset = self.pdf.get_string_width, 2 * _PADDING + 0.5
        whole = [max(map(size, column)) + inset for column in columns]
        words = [max(size(w) for cell in column for w in cell.split(" ")) for column in columns]
        least = [min(word, most) + inset for word in words]
        if sum(whole) <= room:
            return whole
        if sum(least) >= room:
            return [room * each / sum(least) for each in least]
        wish = [all_ - word for all_, word in zip(whole, least, strict=True)]
        spare = (room - sum(least)) / sum(wish)
        return [word + spare * more for word, more in zip(least, wish, strict=True)]

    def keep(self, height: float) -> None:
        """Go on to the next page where less than so many millimetres are left."""
        if self.pdf.will_page_break(height):
            self.pdf.add_page()

    def target(self, to: str) -> str | int:
        """A chapter of this document, an address, or a file by its way from the document."""
        if to.startswith("https://"):
            return to
        return (
            self.chapters.get(to.removesuffix(".html"))
            or f"./{normpath(f'{self.root}/{quote(to)}')}"
        )

    def text(self, text: str) -> str:
        """The text with the number of each character that cannot be drawn as it is written."""
        return "".join(
            c if c in "\n\t" or self.is_drawn(c) else f"\\u{{{ord(c):04x}}}" for c in visible(text)
        )

    def is_drawn(self, character: str) -> bool:
        return (
            ord(character) in self.drawn
            and unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT
        )
