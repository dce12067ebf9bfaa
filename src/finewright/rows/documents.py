"""Documents as text: PDF, Word, Excel, HTML, Markdown and plain text, through markitdown and openpyxl.

Covered: encrypted, scanned, broken and mislabelled files, and archives that unpack beyond proportion.
Not covered: the layout of tables in PDF, pictures, and a parser that takes very long. Nothing is fetched
and no code of a document is run."""

import hashlib
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.rows.containers.encodings import likely_encodings
from finewright.rows.containers.found import ReadRow, said
from finewright.rows.containers.kinds import TEXT_SUFFIXES
from finewright.rows.containers.write import jsonl_at
from finewright.rows.read import records
from finewright.rows.sections import heading_of, sections, title_of
from finewright.rows.workbooks import Workbook, workbook
from finewright.schema.common import Problem
from finewright.schema.data_documents import DocumentsReport, ExamplesReport
from finewright.schema.listing import Listing

MEDIA_TYPES = {
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".html": "text/html",
    ".htm": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
}
_ZIPPED = (".docx", ".xlsx")
_OLE = b"\xd0\xcf\x11\xe0"
_LARGEST = 512 << 20
_MOST_RATIO = 200
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)


class Refused(DataError):  # noqa: N818 - reads as a claim where it is raised
    """A document that gives no text, and the reason to count it under."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class DocumentText(NamedTuple):
    """A document's text as Markdown, its title, how many formulas in it have no value, and which of its
    sheets are hidden."""

    title: str
    text: str
    num_uncomputed: int = 0
    hidden: tuple[str, ...] = ()

    def doubts(self, file: str) -> Iterator[Problem]:
        """What its owner may not know of the text."""
        if self.num_uncomputed:
            what = f"{self.num_uncomputed} formulas have no value, so their cells are empty"
            yield said(file, what, _COMPUTE, level="warning")
        if self.hidden:
            what = f"sheets are hidden, and their text is taken: {', '.join(self.hidden)}"
            yield said(file, what, _SHOW, level="warning")


def write_documents(paths: Sequence[Path], out: Path) -> DocumentsReport:
    """One record a document: `id`, `title`, `text`, `path`, `sha256`, `media_type`.

    Folders are read with all below them. What cannot be read, or is there twice, is counted and said, and
    the others are still written."""
    listing, dropped, types = Listing(), Counter[str](), Counter[str]()
    seen: dict[str, str] = {}
    num_in = 0
    with jsonl_at(out) as write:
        for path, place in documents_at(paths, listing):
            num_in += 1
            try:
                content = _content(path)
                sha256 = hashlib.sha256(content).hexdigest()
                if sha256 in seen:
                    raise Refused("repeated", f"the same bytes as {seen[sha256]}")
                found = document(path)
            except Refused as error:
                dropped[error.reason] += 1
                is_error = error.reason != "repeated"
                level: Literal["error", "warning"] = "error" if is_error else "warning"
                listing.add(said(str(path), str(error), error.hint, level=level))
                continue
            for problem in found.doubts(str(path)):
                listing.add(problem)
            seen[sha256] = str(path)
            media_type = MEDIA_TYPES[path.suffix.lower()]
            types[media_type] += 1
            write(
                {
                    "id": sha256[:16],
                    "title": found.title,
                    "text": found.text,
                    "path": place,
                    "sha256": sha256,
                    "media_type": media_type,
                }
            )
    return DocumentsReport(
        documents_in=num_in,
        documents_written=types.total(),
        documents_dropped=dict(dropped),
        media_types=dict(types),
        out=str(out),
        problems=listing.problems(),
    )


def _examples(found: ReadRow, text: str, longest: int) -> Iterator[dict[str, Any]]:
    name = found.data.get("id") or f"{found.file}:{found.row}"
    for number, section in enumerate(sections(text, longest), start=1):
        yield {
            "id": f"{name}-{number}",
            "title": " / ".join(section.heading_path),
            "text": text[section.start : section.end],
            "path": found.data.get("path", ""),
            "heading_path": section.heading_path,
            "start": section.start,
            "end": section.end,
        }


def write_examples(documents: Path, out: Path, longest: int) -> ExamplesReport:
    """The sections of each record's text: `id`, `title`, `text`, `path`, `heading_path`, `start`, `end`, as
    `rag index` takes them.

    `start` and `end` count characters of the record's text, which they are cut from unchanged."""
    listing = Listing()
    num_in = num_dropped = num_written = 0
    with jsonl_at(out) as write:
        for found in records(documents):
            if not isinstance(found, ReadRow):
                listing.add(found)
                num_lost = int(found.level == "error" and found.row is not None)
                num_in, num_dropped = num_in + num_lost, num_dropped + num_lost
                continue
            num_in += 1
            text = found.data.get("text")
            if not isinstance(text, str) or not text.strip():
                num_dropped += 1
                what, hint = "no `text` to cut", "write the documents with `data documents`"
                listing.add(said(found.file, what, hint, found.row))
                continue
            num_before = num_written
            for example in _examples(found, text, longest):
                num_written += 1
                write(example)
            if num_written == num_before:
                num_dropped += 1
                place = str(found.data.get("path", "")) or "this document"
                what = f"{place} has headings and nothing under them, so no section is cut from it"
                listing.add(said(found.file, what, row=found.row, level="warning"))
    return ExamplesReport(
        documents_in=num_in,
        documents_dropped=num_dropped,
        examples_written=num_written,
        out=str(out),
        problems=listing.problems(),
    )


def document(path: Path) -> DocumentText:
    """The document's text; raises Refused, with the reason and the mend, where it gives none."""
    suffix = path.suffix.lower()
    num_uncomputed, hidden = 0, tuple[str, ...]()
    if suffix in TEXT_SUFFIXES:
        text, title = _plain(_content(path)), ""
    elif suffix == ".xlsx":
        _check_container(path, suffix)
        (text, num_uncomputed, hidden), title = _workbook(path), ""
    else:
        _check_container(path, suffix)
        text, title = _converted(path, suffix)
    # Neither can be written as JSON text that others read.
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    if not text.strip() and suffix == ".pdf":
        what, hint = "there is no text in it: it is scanned pages", "run OCR over it first"
        raise Refused("no_text", what, f"{hint}: ocrmypdf IN.pdf OUT.pdf")
    if not text.strip():
        raise Refused("no_text", "there is no text in it", "")
    named = title.strip() or title_of(text) or heading_of(text) or path.stem
    return DocumentText(named, text, num_uncomputed, hidden)


def documents_at(paths: Sequence[Path], listing: Listing) -> Iterator[tuple[Path, str]]:
    """Each document and what it is called: its path below the folder that was named, or its name.

    What is no document is listed."""
    for path in paths:
        if path.is_dir():
            for document in _documents_in(path, listing):
                yield document, document.relative_to(path).as_posix()
        elif not path.is_file():
            listing.add(said(str(path), "there is no such file", "check the path"))
        elif path.suffix.lower() not in MEDIA_TYPES:
            listing.add(said(str(path), "this is no document that is read", _KNOWN))
        else:
            yield path, path.name


def _documents_in(folder: Path, listing: Listing) -> list[Path]:
    every = sorted(p for p in folder.rglob("*") if p.is_file())
    seen = [p for p in every if not _is_hidden(p, folder)]
    named = [p for p in seen if p.suffix]
    known = [p for p in named if p.suffix.lower() in MEDIA_TYPES]
    _say_unread(folder, listing, len(every) - len(seen), "hidden", "name one to read it")
    if not known:
        listing.add(said(str(folder), "there is no document in this folder", _KNOWN))
    left = len(named) - len(known)
    _say_unread(folder, listing, left, "no document" if left == 1 else "no documents", _KNOWN)
    return known


def _say_unread(folder: Path, listing: Listing, count: int, being: str, hint: str) -> None:
    if count:
        what = f"{_files_are(count)} not read, being {being}"
        listing.add(said(str(folder), what, hint, level="info"))


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


_SHOW = "show them in a spreadsheet program, or delete what is not meant, and save"
_COMPUTE = "open it in a spreadsheet program and save it there"
_KNOWN = f"{', '.join(MEDIA_TYPES)} are read"


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise Refused("unreadable", f"larger than {_LARGEST >> 20} MiB", "split it")
        return path.read_bytes()
    except OSError as error:
        hint = "check the path and its permissions"
        raise Refused("unreadable", f"cannot be read: {error.strerror}", hint) from None


def _plain(content: bytes) -> str:
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start} of the file"
        names = " or ".join(likely_encodings(content))
        hint = f"it looks like {names}: save it as UTF-8" if names else "save it as UTF-8"
        raise Refused("unreadable", what, hint) from None


def _check_container(path: Path, suffix: str) -> None:
    with path.open("rb") as file:
        start = file.read(1024)
    if suffix == ".pdf" and b"%PDF-" not in start:
        raise Refused("unreadable", "this is no PDF, whatever its name says", "check the file")
    if suffix not in _ZIPPED:
        return
    if start.startswith(_OLE):
        what = "it is encrypted, or in Office's format of before 2007"
        raise Refused("encrypted", what, f"save it as {suffix} without a password")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Refused("unreadable", f"broken: {error}", "save it anew") from None
    if size > max(_LARGEST // 8, _MOST_RATIO * path.stat().st_size):
        what = f"it unpacks to more than {_MOST_RATIO} times its size, as bombs do"
        raise Refused("unreadable", what, "save it anew if you trust it")


def _converted(path: Path, suffix: str) -> tuple[str, str]:
    turn_off_telemetry()
    try:
        from markitdown import MissingDependencyException, StreamInfo
    except ImportError:
        raise _missing() from None
    converter = _converter(suffix)
    charset = _charset(path) if suffix in (".html", ".htm") else None
    if charset:
        _check_encoding(_content(path), charset)
    info = StreamInfo(extension=suffix, mimetype=MEDIA_TYPES[suffix], charset=charset)
    try:
        # What parsers warn of is for their authors; what matters to the user is the text.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without it a table whose first row is not marked gets an empty one above.
            found = converter.convert(file, info, table_infer_header=True)
    except MissingDependencyException:
        raise _missing() from None
    except Exception as error:  # parsers of broken documents raise anything
        raise _failed(error) from None
    return found.markdown, found.title or ""


def _workbook(path: Path) -> Workbook:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return workbook(path)
    except MissingExtra:
        raise
    except Exception as error:  # parsers of broken documents raise anything
        raise _failed(error) from None


def _converter(suffix: str) -> Any:  # Any: markitdown has no types for us
    """The one converter that may read the file: markitdown's own choice would look into the bytes."""
    from markitdown import converters

    return {
        ".pdf": converters.PdfConverter,
        ".docx": converters.DocxConverter,
    }.get(suffix, converters.HtmlConverter)()


def _charset(path: Path) -> str:
    """What the HTML says of its encoding, if Python knows it; else UTF-8."""
    with path.open("rb") as file:
        start = file.read(2048)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    declared = _CHARSET.search(start)
    name = declared[1].decode("ascii", "replace") if declared else "utf-8"
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


def _check_encoding(content: bytes, charset: str) -> None:
    """Raise Refused for bytes that are none of the charset's: a parser would guess another, silently."""
    try:
        content.decode(charset)
    except UnicodeDecodeError as error:
        what = f"not {charset.upper()}: byte 0x{content[error.start]:02x} at offset {error.start} of the file"
        hint = "name its encoding: <meta charset=...>, or save it as UTF-8"
        raise Refused("unreadable", what, hint) from None


def _failed(error: Exception) -> Refused:
    # pdfminer's exceptions come wrapped, or not, by what reads the PDF.
    names = {type(e).__name__ for e in (error, error.__cause__, error.__context__) if e}
    names |= {type(a).__name__ for a in error.args}
    if any("Password" in name or "Encryption" in name for name in names):
        return Refused("encrypted", "it is encrypted", "save it without a password")
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return Refused("unreadable", f"broken: {reason[:200]}", "save it anew")


def _missing() -> MissingExtra:
    return MissingExtra(
        "reading documents needs markitdown", hint='pip install "finewright[documents]"'
    )


def _files_are(number: int) -> str:
    return "1 file is" if number == 1 else f"{number} files are"
