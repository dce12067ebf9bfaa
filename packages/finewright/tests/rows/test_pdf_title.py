"""A PDF is called by the largest letters of its first page, or by metadata that this page says too."""

from pathlib import Path

import pytest

from finewright.rows.document_text import document
from finewright.rows.pdf_title import pdf_title

from .pdf_bytes import pdf_of_page

CODE = (12, 500, "# install it first")


def write_pdf(path: Path, *lines: tuple[float, int, str], title: str = "", turn: str = "") -> Path:
    """One page of lines, each of a size, a height on the page and a text; `title` is in the metadata."""
    shown = [f"BT /F1 {size} Tf 72 {height} Td ({text}) Tj ET" for size, height, text in lines]
    shown += [f"BT /F1 40 Tf 0 1 -1 0 30 300 Tm ({turn}) Tj ET"] if turn else []
    stream = "\n".join(shown).encode("latin-1")
    info = b"<< /Title (%b) >>" % title.encode()
    path.write_bytes(pdf_of_page(stream, [info], b"/Info 6 0 R"))
    return path


PAGE = ((10, 760, "page 1"), (24, 700, "Pump handbook"), CODE)


@pytest.mark.parametrize(
    ("lines", "named", "title"),
    [
        (PAGE, "", "Pump handbook"),
        (PAGE, "Microsoft Word - draft7.doc", "Pump handbook"),
        (
            ((24, 700, "The handbook"), (24, 675, "of the pump"), CODE),
            "",
            "The handbook of the pump",
        ),
        # The metadata's title stands on the page, in letters that are smaller than the maker's name.
        (((30, 740, "ACME"), (20, 700, "Care of pumps"), CODE), "Care of Pumps", "Care of Pumps"),
        # The same size further down is another heading.
        (((24, 700, "Pumps"), (24, 400, "Contents"), CODE), "", "Pumps"),
        ((CODE, (12, 480, "pip install pump")), "Pump handbook", "Pump handbook"),
        ((CODE, (12, 480, "pip install pump")), "", ""),
        (((40, 700, "7"), (24, 600, "Pump handbook"), CODE), "", "Pump handbook"),
    ],
)
def test_the_title_is_the_largest_text_or_what_metadata_and_page_both_say(
    tmp_path: Path, lines: tuple[tuple[float, int, str], ...], named: str, title: str
) -> None:
    assert pdf_title(write_pdf(tmp_path / "a.pdf", *lines, title=named)) == title


def test_what_stands_across_the_margin_is_no_title(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", *PAGE, turn="arXiv:2101.00001")
    assert pdf_title(path) == "Pump handbook"


def test_a_comment_in_code_is_no_heading_of_a_pdf(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "manual-7.pdf", CODE, (12, 480, "pip install pump"))
    found = document(path)
    assert "# install it first" in found.text
    assert found.title == "manual-7"
    assert document(write_pdf(tmp_path / "b.pdf", *PAGE)).title == "Pump handbook"
