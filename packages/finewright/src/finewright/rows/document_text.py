"""A document's text: PDF, Word, Excel, HTML, Markdown and plain text, through markitdown and openpyxl.

Whatever has a parser of its own is read in the jail, so that a file ends with a line: what a bomb unpacks to
and a parser that takes for ever are bounded by the file's size. Covered too: encrypted, scanned, broken and
mislabelled files, and archives that unpack beyond proportion. Not covered: the layout of tables in PDF, and
pictures. Nothing is fetched and no code of a document is run.

Excel workbooks as Markdown tables: each sheet under its name, each row of cells as it is stored.

Empty cells stay empty. Not covered: number formats, merged cells, pictures, and the value of a formula that
no spreadsheet program has computed yet, which the file does not have."""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.plugins import install_command
from finewright.rows.containers.encodings import likely_encodings
from finewright.rows.containers.found import file_problem
from finewright.rows.containers.kinds import TEXT_SUFFIXES
from finewright.rows.pdf_title import pdf_title
from finewright.rows.sections import heading_of, title_of
from finewright.schema.common import Problem
from finewright.store.jail import Jailed, Limits, run_jailed


class Workbook(NamedTuple):
    """The tables, how many cells have a formula and no value, and the sheets of these that are hidden."""

    text: str
    num_uncomputed: int
    hidden: tuple[str, ...] = ()


class _Sheet(NamedTuple):
    rows: list[list[str]]
    num_uncomputed: int


def workbook(path: Path) -> Workbook:
    """The workbook's text; what openpyxl raises for a damaged file comes through."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingExtra(
            "reading workbooks needs openpyxl", hint=install_command("[documents]")
        ) from None
    with path.open("rb") as of_values, path.open("rb") as of_formulas:
        values = load_workbook(of_values, read_only=True, data_only=True)
        formulas = load_workbook(of_formulas, read_only=True)
        sheets = {sheet.title: _sheet(sheet, formulas[sheet.title]) for sheet in values.worksheets}
    parts = [f"## {title}\n\n{_table(sheet.rows)}" for title, sheet in sheets.items() if sheet.rows]
    shown = {each.title for each in values.worksheets if each.sheet_state == "visible"}
    hidden = tuple(title for title, sheet in sheets.items() if sheet.rows and title not in shown)
    num_uncomputed = sum(sheet.num_uncomputed for sheet in sheets.values())
    return Workbook("\n\n".join(parts), num_uncomputed, hidden)


# Any: openpyxl has no types for us.
def _sheet(values: Any, formulas: Any) -> _Sheet:
    """The rows that have anything in them, up to the last column that has."""
    rows: list[list[str]] = []
    num_uncomputed = 0
    for row, of_formulas in zip_longest(_cells(values), _cells(formulas), fillvalue=()):
        num_uncomputed += sum(
            value is None and formula is not None
            for value, formula in zip_longest(row, of_formulas)
        )
        shown = [_format_cell(value) for value in row]
        if any(shown):
            rows.append(shown)
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=0)
    return _Sheet([[*row, *[""] * width][:width] for row in rows], num_uncomputed)


def _cells(sheet: Any) -> Iterator[Sequence[Any]]:
    # What a file says of its size need not be true.
    sheet.reset_dimensions()
    yield from sheet.iter_rows(values_only=True)


def _format_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return " ".join(str(value).split()).replace("|", "\\|")


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *others = rows
    lines = [header, ["---"] * len(header), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
_SHOW = "show them in a spreadsheet program, or delete what is not meant, and save"
_COMPUTE = "open it in a spreadsheet program and save it there"
_ZIPPED = (".docx", ".xlsx")
_OLE = b"\xd0\xcf\x11\xe0"
_LARGEST = 512 << 20
_MOST_RATIO = 200
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_CPU_SECONDS, _MEMORY_MIB = 2.0, 320
_CPU_SECONDS_PER_MB, _MEMORY_MIB_PER_MB = {".pdf": 60.0}, 64
_CPU_SECONDS_PER_MB_ELSE = 10.0
"""What a file may take, and what more for each MB of it: pdfminer takes about 0.1 s for a page of 5 kB, and
openpyxl 4 s for a workbook of 1 MB."""


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
            yield file_problem(file, what, _COMPUTE, level="warning")
        if self.hidden:
            what = f"sheets are hidden, and their text is taken: {', '.join(self.hidden)}"
            yield file_problem(file, what, _SHOW, level="warning")


def document(path: Path) -> DocumentText:
    """The document's text; raises Refused, with the reason and the mend, where it gives none."""
    suffix = path.suffix.lower()
    is_plain = suffix in TEXT_SUFFIXES
    found = DocumentText("", _decode(content_of(path))) if is_plain else _read(path)
    title, text, num_uncomputed, hidden = found
    # Neither can be written as JSON text that others read.
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    if not text.strip() and suffix == ".pdf":
        what, hint = "there is no text in it: it is scanned pages", "run OCR over it first"
        raise Refused("no_text", what, f"{hint}: ocrmypdf IN.pdf OUT.pdf")
    if not text.strip():
        raise Refused("no_text", "there is no text in it", "")
    if suffix != ".pdf":  # its text has no marks of headings: a `#` in it is of code
        title = title.strip() or title_of(text) or heading_of(text)
    named = " ".join(title.replace("\0", "").encode("utf-8", "replace").decode().split())
    named = named or path.stem
    return DocumentText(named, text, num_uncomputed, hidden)


def _read(path: Path) -> DocumentText:
    """What the jail makes of the file. Raises Refused, and MissingExtra without what reads such."""
    megabytes, suffix = len(content_of(path)) / 1e6, path.suffix.lower()
    more = _CPU_SECONDS_PER_MB.get(suffix, _CPU_SECONDS_PER_MB_ELSE) * megabytes
    limits = Limits(_CPU_SECONDS + more, int(_MEMORY_MIB + _MEMORY_MIB_PER_MB * megabytes))
    needs = () if suffix == ".xlsx" else _converters()
    try:
        found = run_jailed(read_in_jail, str(path.absolute()), limits=limits, needs=needs)
    except Jailed as error:
        hint = "it may be made to harm; if you trust it, print it to a new PDF, or save it anew"
        raise Refused("unreadable", str(error), hint) from None
    match found:
        case {
            "title": str(title),
            "text": str(text),
            "num_uncomputed": int(count),
            "hidden": [*names],
        }:
            return DocumentText(title, text, count, tuple(map(str, names)))
        case {"refused": [str(reason), str(message), str(hint)]}:
            raise Refused(reason, message, hint)
        case {"missing": [str(message), str(hint)]}:
            raise MissingExtra(message, hint=hint)
    raise Refused("unreadable", "what reads it gave no text", "check the file")


def _converters() -> tuple[str, ...]:
    return ("markitdown.converters",) if find_spec("markitdown") else ()


def read_in_jail(named: str) -> dict[str, Any]:
    """For the jail alone: the document's parts, or why there are none."""
    path, suffix = Path(named), Path(named).suffix.lower()
    try:
        _check_container(path, suffix)
        if suffix == ".xlsx":
            return DocumentText("", *_workbook(path))._asdict()
        text, title = _convert(path, suffix)
        title = _title_of_pdf(path) if suffix == ".pdf" else title
        return DocumentText(title, text)._asdict()
    except Refused as error:
        return {"refused": [error.reason, str(error), error.hint]}
    except MissingExtra as error:
        return {"missing": [str(error), error.hint]}


def content_of(path: Path) -> bytes:
    """Its bytes. Raises Refused where they cannot be read, or are too many."""
    try:
        if path.stat().st_size > _LARGEST:
            raise Refused("unreadable", f"larger than {_LARGEST >> 20} MiB", "split it")
        return path.read_bytes()
    except OSError as error:
        hint = "check the path and its permissions"
        raise Refused("unreadable", f"cannot be read: {error.strerror}", hint) from None


def _decode(content: bytes) -> str:
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


def _convert(path: Path, suffix: str) -> tuple[str, str]:
    turn_off_telemetry()
    try:
        from markitdown import MissingDependencyException, StreamInfo
    except ImportError:
        raise _missing() from None
    converter = _converter(suffix)
    charset = _charset(path) if suffix in (".html", ".htm") else None
    if charset:
        _check_encoding(content_of(path), charset)
    info = StreamInfo(extension=suffix, mimetype=MEDIA_TYPES[suffix], charset=charset)
    try:
        # What parsers warn of is for their authors; what matters to the user is the text.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without it a table whose first row is not marked gets an empty one above.
            found = converter.convert(file, info, table_infer_header=True)
    except MissingDependencyException:
        raise _missing() from None
    except MemoryError:
        raise  # the jail says so
    except Exception as error:  # parsers of broken documents raise anything
        raise _explain_failure(error) from None
    return found.markdown, found.title or ""


def _title_of_pdf(path: Path) -> str:
    """Nothing where what reads fonts fails over a file whose text was read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pdf_title(path)
    except MemoryError:
        raise
    except Exception:  # parsers of broken documents raise anything
        return ""


def _workbook(path: Path) -> Workbook:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return workbook(path)
    except (MissingExtra, MemoryError):
        raise
    except Exception as error:  # parsers of broken documents raise anything
        raise _explain_failure(error) from None


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


def _explain_failure(error: Exception) -> Refused:
    # pdfminer's exceptions come wrapped, or not, by what reads the PDF.
    names = {type(e).__name__ for e in (error, error.__cause__, error.__context__) if e}
    names |= {type(a).__name__ for a in error.args}
    if any("Password" in name or "Encryption" in name for name in names):
        return Refused("encrypted", "it is encrypted", "save it without a password")
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return Refused("unreadable", f"broken: {reason[:200]}", "save it anew")


def _missing() -> MissingExtra:
    return MissingExtra("reading documents needs markitdown", hint=install_command("[documents]"))
