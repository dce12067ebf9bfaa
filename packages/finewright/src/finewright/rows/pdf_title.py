"""The title of a PDF: what its metadata says where the first page says it too, else the biggest text of that
page. Metadata alone are often those of a template, or the name of a file that the author once had.

Not covered: a title that is a picture, and a cover that sets another text in larger letters."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_WORD = re.compile(r"\w+")
_SAME_SIZE = 0.05
"""Letters of one font size differ by so much of it, as boxes of fonts are rounded."""
_BIGGER = 1.1
"""So many times the size of the smallest letters is a heading; below it nothing stands out."""
_GAP = 1.5
"""Lines of one title are at most so many of their heights apart."""
_FEWEST, _LONGEST = 3, 250
"""Characters of a title: fewer letters are a mark of the page, more are its text, above smaller notes."""


class _Line(NamedTuple):
    text: str
    size: float
    top: float
    bottom: float


def pdf_title(path: Path) -> str:
    """The title of the PDF in a file, "" where nothing says it. What pdfminer raises comes through."""
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.layout import LAParams
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
    from pdfminer.pdfpage import PDFPage
    from pdfminer.pdfparser import PDFParser

    with path.open("rb") as file:
        document = PDFDocument(PDFParser(file))
        named = _title_in(document.info)
        page = next(PDFPage.create_pages(document), None)
        if page is None:
            return named
        resources = PDFResourceManager()
        device = PDFPageAggregator(resources, laparams=LAParams())
        PDFPageInterpreter(resources, device).process_page(page)
        lines = sorted(_lines_of(device.get_result()), key=lambda line: -line.top)
    return _choose(named, lines)


def _title_in(info: list[dict[str, Any]]) -> str:  # Any: objects of a PDF
    from pdfminer.pdftypes import resolve1
    from pdfminer.utils import decode_text

    title = resolve1(info[0].get("Title")) if info else None
    return " ".join(decode_text(title).split()) if isinstance(title, bytes) else ""


def _choose(named: str, lines: list[_Line]) -> str:
    """The metadata's title where all its words stand on the page, else the biggest text."""
    page = {word for line in lines for word in _WORD.findall(line.text.casefold())}
    words = set(_WORD.findall(named.casefold()))
    if words and words <= page:
        return named
    return _biggest(lines) or named


def _biggest(lines: list[_Line]) -> str:
    """The uppermost text in the largest letters of the page, where these are larger than others."""
    lines = [line for line in lines if sum(map(str.isalpha, line.text)) >= _FEWEST]
    sizes = [line.size for line in lines]
    if not sizes or max(sizes) < _BIGGER * min(sizes):
        return ""
    big = [line for line in lines if line.size >= (1 - _SAME_SIZE) * max(sizes)]
    title = [big[0]]
    for line in big[1:]:
        if title[-1].bottom - line.top > _GAP * line.size:
            break
        title.append(line)
    found = " ".join(line.text for line in title)
    return found if len(found) <= _LONGEST else ""


def _lines_of(item: Any) -> Iterator[_Line]:  # Any: what lies on a page, of many types
    """The upright lines of a page, with the size of most of their letters."""
    from pdfminer.layout import LTChar, LTContainer, LTTextLine

    if isinstance(item, LTTextLine):
        letters = [each for each in item if isinstance(each, LTChar) and each.upright]
        text = " ".join(item.get_text().split())
        if letters and text:
            sizes = sorted(letter.size for letter in letters if letter.get_text().strip())
            yield _Line(text, sizes[len(sizes) // 2] if sizes else 0.0, item.y1, item.y0)
    elif isinstance(item, LTContainer):
        for each in item:
            yield from _lines_of(each)
