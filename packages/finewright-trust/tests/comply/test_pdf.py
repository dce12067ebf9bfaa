"""The dossier as a PDF, read back by another library: what stands in it, where, and what it links to."""

import ctypes
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pypdfium2 as pdfium
import pytest
from pypdfium2 import raw

from cli.conftest import Finewright
from finewright.sdk import Page, Section, Table, Text
from finewright_trust.comply import pdf
from finewright_trust.comply.dossier import write_pdf
from finewright_trust.comply.pdf import as_pdf
from finewright_trust.comply.report import ComplyReport

DAY = date(2026, 12, 5)


def texts(content: bytes | Path) -> list[str]:
    """Of each page, without its spaces and line breaks."""
    with pdfium.PdfDocument(content) as document:
        return ["".join(page.get_textpage().get_text_range().split()) for page in document]


def addresses(path: Path) -> Iterator[str]:
    """Of every link that leaves the document."""
    with pdfium.PdfDocument(path) as document:
        for page in document:
            place, link = ctypes.c_int(0), raw.FPDF_LINK()
            while raw.FPDFLink_Enumerate(page, place, link):
                action = raw.FPDFLink_GetAction(link)
                size = raw.FPDFAction_GetURIPath(document, action, None, 0) if action else 0
                if size:
                    buffer = ctypes.create_string_buffer(size)
                    raw.FPDFAction_GetURIPath(document, action, buffer, size)
                    yield buffer.value.decode()


def read_report(dossier: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((dossier / "report.json").read_text(encoding="utf-8"))
    return found


def of_table(rows: list[tuple[str, ...]], text: str = "") -> bytes:
    header = tuple(f"head{n}" for n in range(len(rows[0])))
    blocks = [Text(text), Table(header, rows)]
    return as_pdf({"index": Page("a test", "A test", sections=[Section("Part", blocks)])}, DAY)


def test_controls_statuses_and_digests_stand_in_it(dossier: Path) -> None:
    report = read_report(dossier)
    path = dossier / "dossier.pdf"
    text = "".join(texts(path))
    told = [each for each in report["controls"] if each["status"] != "no"]
    assert len(told) > 50
    for control in told:
        title = f"{control['id']},{control['article']}:{control['status']},"
        assert title.replace(" ", "") in text, control["id"]
        for evidence in control["evidence"]:
            assert not evidence["sha256"] or f"sha256{evidence['sha256']}" in text
    assert "ünder" in text
    assert "Itjudgesnolaw" in text
    for document in report["documents"]:
        assert "".join(document["title"].split()) in text


def test_every_link_opens_from_where_the_pdf_lies(run: Path, finewright: Finewright) -> None:
    Path("out").mkdir()
    asked = ("--answers", "answers.yaml", "--pdf", "out/print.pdf")
    assert finewright("comply", str(run), *asked).code == 0
    for path in (run / "comply" / "dossier.pdf", Path("out/print.pdf")):
        found = list(addresses(path))
        files = [each for each in found if not each.startswith("https://")]
        assert len(files) > 20
        assert [each for each in files if not (path.parent / unquote(each)).is_file()] == []
        assert any("eur-lex.europa.eu" in each for each in found)


def test_bookmarks_and_contents_lead_to_the_chapters(dossier: Path) -> None:
    with pdfium.PdfDocument(dossier / "dossier.pdf") as document:
        pages = [" ".join(page.get_textpage().get_text_range().split()) for page in document]
        marks = {
            mark.get_title(): mark.get_dest().get_index()
            for mark in document.get_toc()
            if mark.level == 0
        }
    assert len(marks) == 1 + len(read_report(dossier)["documents"])
    for title, number in marks.items():
        assert title in pages[number]
        assert re.search(rf"{re.escape(title)} [ .]*{number + 1}\b", pages[0])
    assert f"{len(pages)} / {len(pages)}" in pages[-1]


def test_the_same_dossier_on_the_same_day_has_the_same_bytes(dossier: Path) -> None:
    report = ComplyReport.model_validate(read_report(dossier))
    write_pdf(report, dossier / "again.pdf")
    first, again = (dossier / name for name in ("dossier.pdf", "again.pdf"))
    assert first.read_bytes() == again.read_bytes()
    pages = {"index": Page("a test", "A test")}
    assert as_pdf(pages, DAY) != as_pdf(pages, date(2026, 12, 6))


def test_nothing_overflows_and_no_page_is_empty(dossier: Path) -> None:
    with pdfium.PdfDocument(dossier / "dossier.pdf") as document:
        for number, page in enumerate(document, 1):
            width, height = page.get_size()
            shown = page.get_textpage()
            boxes = [shown.get_charbox(n) for n in range(shown.count_chars())]
            assert min(box[0] for box in boxes) > 40, number
            assert max(box[2] for box in boxes) < width - 40, number
            assert max(box[3] for box in boxes) < height - 40, number
            assert shown.count_chars() > 150, number


def test_a_header_comes_again_and_no_row_is_cut() -> None:
    rows = [(f"first{n:03}", "words " * (n % 40), f"last{n:03}") for n in range(90)]
    pages = texts(of_table(rows))[1:]
    assert len(pages) == 3
    for text in pages:
        assert text.count("head0head1head2") == 1
        assert set(re.findall(r"first(\d+)", text)) == set(re.findall(r"last(\d+)", text))
    assert len(set(re.findall(r"first(\d+)", "".join(pages)))) == 90


def test_a_word_longer_than_its_column_is_broken_and_whole() -> None:
    rows = [("é" * 300, "x" * 200, "short"), ("a", "b", "c" * 400)]
    content = of_table(rows)
    text = "".join(texts(content)[1:])
    assert (text.count("é"), text.count("x"), text.count("c")) == (300, 200, 400)
    with pdfium.PdfDocument(content) as document:
        shown = document[1].get_textpage()
        ends = [shown.get_charbox(n)[2] for n in range(shown.count_chars())]
        assert max(ends) < document[1].get_width() - 40


def test_names_are_shown_or_their_characters_are_told() -> None:
    text = "".join(texts(of_table([("Łódź", "Müßig", "Ωμέγα")], "Жук, naïve, 5 ≤ 6 → 7")))
    for word in ("Łódź", "Müßig", "Ωμέγα", "Жук", "5≤6→7"):
        assert word in text
    hidden = "".join(texts(of_table([("中村", "שלום", "a\u200bb")])))
    for code in (r"\u{4e2d}\u{6751}", r"\u{05e9}", r"a\u{200b}b"):
        assert code in hidden


def test_without_the_library_a_line_says_what_to_install(
    run: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    refused = finewright("comply", str(run), "--pdf", "out.pdf")
    assert refused.code == 3
    assert "a PDF needs fpdf, which is not installed" in refused.err
    assert "[pdf]" in refused.err
    assert not Path("out.pdf").exists()
    assert not (run / "comply").exists()
    found = json.loads(finewright("comply", str(run), "--json").out)
    (note,) = [each for each in found["problems"] if each["level"] == "info"]
    assert "there is no dossier.pdf" in note["message"]
    assert not (run / "comply" / "dossier.pdf").exists()


def test_a_broken_dossier_is_made_again(run: Path, finewright: Finewright) -> None:
    assert finewright("comply", str(run)).code == 0
    (run / "comply" / "dossier.pdf").unlink()
    (run / "comply" / "index.md").write_text("changed")
    assert finewright("comply", str(run)).code == 0
    assert finewright("verify", str(run)).code == 0
