"""Documents become text with what is in them; each that gives none is one line, and no other is lost."""

import hashlib
import json
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from finewright.errors import DataError
from finewright.features.data.documents import documents, examples
from finewright.report.show import text_of

from .pdf_bytes import pdf_of_page

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument'
    '.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="word/document.xml"/></Relationships>'
)


def pdf(path: Path, text: str, *, encrypted: bool = False) -> None:
    stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode() if text else b"0 0 9 9 re f"
    crypt = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b> >>" % (b"61" * 32, b"62" * 32)
    trailer = b"/Encrypt 6 0 R /ID [<61><61>]" if encrypted else b""
    path.write_bytes(pdf_of_page(stream, [crypt], trailer))


def docx(path: Path, *paragraphs: tuple[str, str]) -> None:
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        document = f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document)


def xlsx(path: Path, *rows: tuple[object, ...]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    pdf(folder / "a.pdf", "Terms of payment")
    docx(folder / "b.docx", ("Heading1", "Opening an account"), ("Normal", "Bring your passport."))
    xlsx(folder / "c.xlsx", ("Fee", "Price"), ("Card", 12))
    page = "<html><head><title>Rates</title></head><body><h2>Now</h2><p>é 3 %</p></body></html>"
    (folder / "d.html").write_text(page)
    (folder / "sub" / "e.md").write_text("# Guide\n\n## One\nfirst\n\n## Two\nsecond\n")
    (folder / "f.TXT").write_bytes("\ufeffplain\r\n".encode())
    return folder


def test_every_kind_of_document_gives_its_text(folder, tmp_path):
    report = documents([folder], tmp_path / "out.jsonl")
    records = {str(record["path"]): record for record in lines(tmp_path / "out.jsonl")}
    assert report.passed
    assert report.documents_in == report.documents_written == 6
    assert report.problems == ()
    assert list(records) == ["a.pdf", "b.docx", "c.xlsx", "d.html", "f.TXT", "sub/e.md"]
    for path, said in {
        "a.pdf": "Terms of payment",
        "b.docx": "# Opening an account\n\nBring your passport.",
        "c.xlsx": "| Card | 12 |",
        "d.html": "## Now\n\né 3 %",
        "sub/e.md": "## One\nfirst",
        "f.TXT": "plain",
    }.items():
        assert said in str(records[path]["text"])
    assert [r["title"] for r in records.values()] == [
        "a",
        "Opening an account",
        "c",
        "Rates",
        "f",
        "Guide",
    ]
    digest = hashlib.sha256((folder / "a.pdf").read_bytes()).hexdigest()
    assert (records["a.pdf"]["id"], records["a.pdf"]["sha256"]) == (digest[:16], digest)
    assert list(records["a.pdf"]) == ["id", "title", "text", "path", "sha256", "media_type"]
    assert report.media_types["application/pdf"] == 1


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\0" * (70 << 20))


BAD = {
    "locked.pdf": (lambda p: pdf(p, "x", encrypted=True), "encrypted", "it is encrypted"),
    "scan.pdf": (lambda p: pdf(p, ""), "no_text", "scanned pages (run OCR"),
    "cut.pdf": (lambda p: p.write_bytes(b"%PDF-1.4\n1 0 obj"), "unreadable", "broken"),
    "not.pdf": (lambda p: p.write_bytes(b"hello"), "unreadable", "this is no PDF"),
    "locked.docx": (lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0" * 9), "encrypted", "a password"),
    "cut.docx": (lambda p: p.write_bytes(b"PK\x03\x04rest"), "unreadable", "broken"),
    "odd.docx": (lambda p: xlsx(p, ("a",)), "unreadable", "broken"),
    "bomb.docx": (bomb, "unreadable", "as bombs do"),
    "blank.md": (lambda p: p.write_bytes(b" \n"), "no_text", "there is no text"),
    "latin.txt": (lambda p: p.write_bytes(b"caf\xe9"), "unreadable", "byte 0xe9 at offset 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_document_without_text_is_one_line_and_the_others_are_written(tmp_path, name):
    write, reason, said = BAD[name]
    write(tmp_path / name)
    (tmp_path / "good.md").write_text("good")
    report = documents([tmp_path / name, tmp_path / "good.md"], tmp_path / "out.jsonl")
    assert report.documents_dropped == {reason: 1}
    assert [p.file for p in report.problems] == [str(tmp_path / name)]
    assert said in report.problems[0].line()
    assert [record["text"] for record in lines(tmp_path / "out.jsonl")] == ["good"]
    assert not report.passed


def test_the_same_bytes_are_written_once_and_what_is_no_document_is_said(tmp_path):
    for name in ("docs/a.md", "docs/b.md", "docs/c.exe"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same")
    report = documents([tmp_path / "docs", tmp_path / "gone.md"], tmp_path / "out.jsonl")
    assert (report.documents_in, report.documents_dropped) == (2, {"repeated": 1})
    said = text_of(report)
    assert "1 file is not read" in said
    assert "gone.md: there is no such file" in said
    assert "left out: 1 repeated" in said


@pytest.mark.parametrize("head", ["", '<meta charset="utf-8">'])
def test_a_page_in_an_encoding_that_it_does_not_name_is_refused(tmp_path, head):
    (tmp_path / "a.html").write_bytes(f"{head}<p>Señor</p>".encode("windows-1252"))
    report = documents([tmp_path / "a.html"], tmp_path / "out.jsonl")
    assert report.documents_dropped == {"unreadable": 1}
    place = len(head) + len("<p>Se")
    what = f"not UTF-8: byte 0xf1 at offset {place} of the file"
    assert what in report.problems[0].message
    assert "<meta charset=...>" in report.problems[0].hint


@pytest.mark.parametrize("charset", ["windows-1252", "utf-16", "no-such"])
def test_a_pages_own_charset_is_taken(tmp_path, charset):
    encoding = "utf-8" if charset == "no-such" else charset
    page = f'<html><head><meta charset="{charset}"></head><body><p>café</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode(encoding))
    documents([tmp_path / "a.html"], tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl")[0]["text"] == "café"


def test_examples_are_the_sections_with_their_place(folder, tmp_path):
    documents([folder / "sub"], tmp_path / "docs.jsonl")
    report = examples(tmp_path / "docs.jsonl", tmp_path / "examples.jsonl")
    record = lines(tmp_path / "docs.jsonl")[0]
    found = lines(tmp_path / "examples.jsonl")
    assert (report.documents_in, report.examples_written, report.passed) == (1, 2, True)
    assert [(e["text"], e["heading_path"]) for e in found] == [
        ("## One\nfirst", ["Guide", "One"]),
        ("## Two\nsecond", ["Guide", "Two"]),
    ]
    assert all(record["text"][e["start"] : e["end"]] == e["text"] for e in found)
    assert all(e["path"] == "e.md" for e in found)


def test_records_without_text_are_counted(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n{\n{"text": "t"}\n')
    report = examples(tmp_path / "a.jsonl", tmp_path / "out.jsonl")
    assert (report.documents_in, report.documents_dropped, report.examples_written) == (3, 2, 1)
    assert not report.passed
    with pytest.raises(DataError, match="say nothing"):
        examples(tmp_path / "a.jsonl", tmp_path / "out.jsonl", longest=10)


def test_empty_cells_of_a_workbook_are_empty_and_formulas_without_a_value_are_said(tmp_path):
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Fees"
    rows = [
        ["Card", None, "Note"],
        ["Gold", 12.5, "NA"],
        [],
        [None, None, "a|b\nc"],
        ["Sum", "=SUM(B2:B4)", datetime(2026, 3, 1)],
        ["Long " * 30, True, None],
    ]
    for row in rows:
        sheet.append(row)
    book.create_sheet("Empty")
    book.save(path)
    report = documents([path], tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl")[0]["text"].splitlines() == [
        "## Fees",
        "",
        "| Card |  | Note |",
        "| --- | --- | --- |",
        "| Gold | 12.5 | NA |",
        "|  |  | a\\|b c |",
        "| Sum |  | 2026-03-01 |",
        f"| {('Long ' * 30).strip()} | TRUE |  |",
    ]
    assert [(p.level, p.message) for p in report.problems] == [
        ("warning", "1 formulas have no value, so their cells are empty")
    ]
    assert report.passed


def test_a_workbook_without_a_cell_has_no_text(tmp_path):
    openpyxl.Workbook().save(tmp_path / "a.xlsx")
    assert documents([tmp_path / "a.xlsx"], tmp_path / "out.jsonl").documents_dropped == {
        "no_text": 1
    }


def test_the_first_row_of_a_table_in_a_document_is_its_header(tmp_path):
    row = "<w:tr>{}</w:tr>".format
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>".format
    table = "".join(row(cell(a) + cell(b)) for a, b in [("Fee", "Price"), ("Card", "12")])
    docx(
        tmp_path / "a.docx", ("Normal", f"x</w:t></w:r></w:p><w:tbl>{table}</w:tbl><w:p><w:r><w:t>")
    )
    documents([tmp_path / "a.docx"], tmp_path / "out.jsonl")
    text = str(lines(tmp_path / "out.jsonl")[0]["text"])
    assert text == "x\n\n| Fee | Price |\n| --- | --- |\n| Card | 12 |"


def test_a_hidden_sheet_without_text_is_not_said_to_be_taken(tmp_path):
    made = openpyxl.Workbook()
    made.active.append(("Fee", "Price"))
    for title, rows in (("Old", [("Card", 12)]), ("Empty", [])):
        sheet = made.create_sheet(title)
        sheet.sheet_state = "hidden"
        for row in rows:
            sheet.append(row)
    made.save(tmp_path / "a.xlsx")
    (said,) = documents([tmp_path / "a.xlsx"], tmp_path / "out.jsonl").problems
    assert "Old" in said.message
    assert "Empty" not in said.message


def test_hidden_files_of_a_folder_are_not_read_and_said(tmp_path):
    folder = tmp_path / "docs"
    for name in ("a.md", ".hidden.md", ".git/b.md", ".DS_Store"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    report = documents([folder], tmp_path / "out.jsonl")
    assert [record["path"] for record in lines(tmp_path / "out.jsonl")] == ["a.md"]
    assert [(p.level, p.message) for p in report.problems] == [
        ("info", "3 files are not read, being hidden")
    ]
    documents([folder / ".hidden.md"], tmp_path / "named.jsonl")
    assert [record["text"] for record in lines(tmp_path / "named.jsonl")] == [".hidden.md"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: Cards\n---\n# Other\n", "Cards"),
        ("Cards\n=====\ntext\n", "Cards"),
        ("text\n", "a"),
    ],
)
def test_the_title_is_the_one_that_the_document_names(tmp_path, text, title):
    (tmp_path / "a.md").write_text(text)
    documents([tmp_path / "a.md"], tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl")[0]["title"] == title


def test_a_page_of_headings_alone_is_counted_and_said(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\n## B\n")
    (folder / "b.md").write_text("# A\ntext\n")
    documents([folder], tmp_path / "docs.jsonl")
    report = examples(tmp_path / "docs.jsonl", tmp_path / "examples.jsonl")
    assert (report.documents_in, report.documents_dropped, report.examples_written) == (2, 1, 1)
    assert [(p.row, p.message) for p in report.problems] == [
        (1, "a.md has headings and nothing under them, so no section is cut from it")
    ]
    assert report.passed
