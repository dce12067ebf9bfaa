"""Documents that are made to harm: small files that unpack, recurse, or are read for ever."""

# ruff: noqa: E501 - the names of namespaces

import io
import zipfile
import zlib
from collections.abc import Callable

MAKERS: dict[str, Callable[[], bytes]] = {}
GIGABYTES = 2


def made(name: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def add(maker: Callable[[], bytes]) -> Callable[[], bytes]:
        MAKERS[name] = maker
        return maker

    return add


def pdf(*objects: bytes) -> bytes:
    """A PDF of numbered objects, the first its catalog."""
    out, places = bytearray(b"%PDF-1.5\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out) + b"trailer <</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        start,
    )


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<<%s /Length %d>>\nstream\n%s\nendstream" % (more, len(data), data)


def page(contents: int, resources: bytes = b"") -> bytes:
    return (
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents %d 0 R /Resources <<%s>>>>"
        % (
            contents,
            resources,
        )
    )


CATALOG, PAGES = b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Kids [3 0 R] /Count 1>>"


def deflated(piece: bytes, times: int) -> bytes:
    deflate, out = zlib.compressobj(9), bytearray()
    for _ in range(times):
        out += deflate.compress(piece)
    return bytes(out + deflate.flush())


@made("deflated-twice.pdf")
def deflated_twice() -> bytes:
    inner = zlib.compress(deflated(b" " * (1 << 20), GIGABYTES << 10), 9)
    inner = zlib.compress(inner, 9)
    more = b" /Filter [/FlateDecode /FlateDecode /FlateDecode]"
    return pdf(CATALOG, PAGES, page(4), stream(inner, more))


@made("operators.pdf")
def operators() -> bytes:
    inner = zlib.compress(deflated(b"[(a)]TJ " * (1 << 14), 200), 9)
    return pdf(CATALOG, PAGES, page(4), stream(inner, b" /Filter [/FlateDecode /FlateDecode]"))


@made("forms-in-forms.pdf")
def forms_in_forms() -> bytes:
    """Each of 40 forms draws the next one twice."""
    forms = [
        stream(
            b"/X Do /X Do",
            b" /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X %d 0 R>>>>"
            % (number + 1),
        )
        for number in range(5, 45)
    ]
    last = stream(b"", b" /Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    first = page(4, b"/XObject <</X 5 0 R>>")
    return pdf(CATALOG, PAGES, first, stream(b"/X Do"), *forms, last)


@made("run-lengths.pdf")
def run_lengths() -> bytes:
    inner = zlib.compress(deflated(b"\x81 " * (1 << 16), 200), 9)
    more = b" /Filter [/FlateDecode /FlateDecode /RunLengthDecode]"
    return pdf(CATALOG, PAGES, page(4), stream(inner, more))


@made("pages-in-pages.pdf")
def pages_in_pages() -> bytes:
    kids = b"[%s]" % b" ".join(b"3 0 R" for _ in range(20_000))
    return pdf(
        CATALOG,
        b"<</Type /Pages /Kids %s /Count 20000>>" % kids,
        page(4),
        stream(b"BT (a) Tj ET " * 1000),
    )


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_TYPES", "[Content_Types]"), data)
    return out.getvalue()


DOCX_TYPES = (
    b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.'
    b'document.main+xml"/></Types>'
)
RELATIONS = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r"'
    b' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    b' Target="word/document.xml"/></Relationships>'
)
WORD = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>%s</w:body></w:document>'


def docx(body: bytes, before: bytes = b"") -> bytes:
    return zipped(
        **{
            "_TYPES.xml": DOCX_TYPES,
            "_rels__.rels": RELATIONS,
            "word__document.xml": before + WORD % body,
        }
    )


@made("large.docx")
def large_docx() -> bytes:
    return docx(b"<w:p><w:r><w:t>a</w:t></w:r></w:p>" * 1_500_000)


@made("deep.docx")
def deep_docx() -> bytes:
    table = b"<w:tbl><w:tr><w:tc>"
    return docx(table * 20_000 + b"</w:tc></w:tr></w:tbl>" * 20_000)


@made("entities.docx")
def entities_docx() -> bytes:
    return docx(b"<w:p><w:r><w:t>&i;</w:t></w:r></w:p>", ENTITIES)


ENTITIES = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>%s]>" % b"".join(
    b"<!ENTITY %c '%s'>" % (97 + i, b"&%c;" % (96 + i) * 10) for i in range(1, 10)
)
SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'


def xlsx(rows: bytes, before: bytes = b"", strings: bytes = b"<sst/>") -> bytes:
    main = b"application/vnd.openxmlformats-officedocument.spreadsheetml."
    types = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels"'
    types += b' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    for name, kind in (
        (b"workbook", b"sheet.main"),
        (b"sheet1", b"worksheet"),
        (b"sharedStrings", b"sharedStrings"),
    ):
        types += b'<Override PartName="/xl/%s.xml" ContentType="%s%s+xml"/>' % (name, main, kind)
    book = (
        b'<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.'
        b'openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/>'
        b"</sheets></workbook>"
    )
    office = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    start = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    one = b'<Relationship Id="%s" Type="%s%s" Target="%s"/>'
    top = start + one % (b"r1", office, b"officeDocument", b"xl/workbook.xml") + b"</Relationships>"
    parts = one % (b"r1", office, b"worksheet", b"sheet1.xml")
    parts += one % (b"r2", office, b"sharedStrings", b"sharedStrings.xml")
    return zipped(
        **{
            "_TYPES.xml": types + b"</Types>",
            "_rels__.rels": top,
            "xl__workbook.xml": book,
            "xl___rels__workbook.xml.rels": start + parts + b"</Relationships>",
            "xl__sheet1.xml": before + SHEET % rows,
            "xl__sharedStrings.xml": strings,
        }
    )


@made("far-cell.xlsx")
def far_cell() -> bytes:
    """Rows of one cell in the last column, the last of them in the last row."""
    rows = b"".join(
        b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (i, i)
        for i in (*range(1, 4000), 1_048_576)
    )
    return xlsx(rows)


@made("large.xlsx")
def large_xlsx() -> bytes:
    return xlsx(b"<row>%s</row>" % (b"<c><v>1</v></c>" * 100) * 40_000)


@made("entities.xlsx")
def entities_xlsx() -> bytes:
    return xlsx(b'<row><c t="str"><v>&i;</v></c></row>', ENTITIES)


@made("deep.html")
def deep_html() -> bytes:
    return b"<html><body>" + b"<div><b>" * 100_000 + b"a"


@made("list-in-list.html")
def lists_html() -> bytes:
    return b"<ul><li>a" * 900 + b"<table><tr><td>a" * 300


@made("wide-table.html")
def wide_html() -> bytes:
    return b'<table><tr><td colspan="1000000000">a</td></tr></table>' * 3
