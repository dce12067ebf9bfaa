"""PDF files made by hand: one page of drawing commands in Helvetica."""

from collections.abc import Sequence

_PAGE = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
    b" /Resources << /Font << /F1 5 0 R >> >> >>",
)
_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf_of_page(drawing: bytes, more: Sequence[bytes] = (), trailer: bytes = b"") -> bytes:
    """A PDF whose page is drawn so; `more` are objects from number 6 on, which the trailer names."""
    stream = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing)
    objects = [*_PAGE, stream, _FONT, *more]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start, size = len(content), len(objects) + 1
    content += b"xref\n0 %d\n0000000000 65535 f \n" % size
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer << /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
    return content + end % (size, trailer, start)
