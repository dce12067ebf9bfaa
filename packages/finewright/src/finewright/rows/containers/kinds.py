"""Which container a file is: told by its first bytes, and by its name where these leave it open."""

import codecs
import json
from contextlib import suppress
from pathlib import PurePath
from typing import Literal

from finewright.errors import DataError
from finewright.rows.containers.encodings import how_to_name_encoding
from finewright.rows.containers.json_rules import SPEAKERS, ends_early
from finewright.rows.containers.table import delimiter_of, reads_like_a_row

Kind = Literal["lines", "array", "objects", "table", "sheet", "parquet", "arrow", "text"]

PACKED_SUFFIXES = (".gz", ".zst")
TEXT_SUFFIXES = (".md", ".markdown", ".txt")
TABLE_SUFFIXES = (".csv", ".tsv")
YAML_SUFFIXES = (".yaml", ".yml")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SHEET_SUFFIX = ".xlsx"
COLUMN_SUFFIXES = (".parquet", ".arrow", ".feather")
BINARY_SUFFIXES = (*COLUMN_SUFFIXES, SHEET_SUFFIX)
DATA_SUFFIXES = (*JSON_SUFFIXES, *TABLE_SUFFIXES, *BINARY_SUFFIXES)

_COLUMNAR: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    # What the stream format begins with since Arrow 0.15.
    (b"\xff\xff\xff\xff", "arrow"),
)
_DOCUMENTS = (
    "`finewright rag index` reads documents, `finewright data raft` makes rows of questions to it"
)
_NO_ROWS = "name the file that has the rows"
_ZIP = b"PK\x03\x04"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_REFUSED = (
    (_ZIP, "a zip archive", "unzip it and name the file inside, or the folder"),
    (
        b"version https://git-lfs.github.com/spec/",
        "a pointer of Git LFS",
        "fetch what it stands for: git lfs pull",
    ),
    (b"%PDF-", "a PDF document", _DOCUMENTS),
    (_OLD_OFFICE, "an Office file that is encrypted or of before 2007", "save it as .xlsx or CSV"),
    (b"\x1f\x8b", "a gzip archive in an archive", "unpack it once"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive in an archive", "unpack it once"),
    (b"BZh", "a bzip2 archive", "bunzip2 {file}"),
    (b"\xfd7zXZ", "an xz archive", "unxz {file}"),
    (b"FEA1", "Feather of version 1", "write it anew, as version 2 or as Parquet"),
    (b"SQLite format 3", "an SQLite database", "write its rows as CSV: sqlite3 -csv -header"),
    (b"\x89PNG\r\n", "a picture (PNG)", _NO_ROWS),
    (b"\xff\xd8\xff", "a picture (JPEG)", _NO_ROWS),
    (b"GIF8", "a picture (GIF)", _NO_ROWS),
    (b"\x7fELF", "a program", _NO_ROWS),
)
_OFFICE = (".docx", ".pptx")
_TAR, _TAR_AT = b"ustar", 257
_WEB_PAGE = (b"<!doctype html", b"<html")
# An ASCII text in UTF-16 has a zero in every other byte.
_SNIFFED = 200
_ZERO_SHARE = 0.4
# Of text not one byte in a thousand is a control character, of other bytes one in nine.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_CONTROL_SHARE, _FEWEST_CONTROLS = 0.03, 8
_LOOKED_AT = 4096
_FIRST_LINES, _FEWEST_LINES = 20, 3


def suffix_of(name: str) -> str:
    """The suffix in lower case, that of the packing left out."""
    lower = name.lower()
    for packed in PACKED_SUFFIXES:
        lower = lower.removesuffix(packed)
    return PurePath(lower).suffix


def kind_of(head: bytes, is_whole: bool, file: str) -> Kind:
    """The container that begins with these bytes; raises DataError, with the mend, for no container."""
    for magic, kind in _COLUMNAR:
        if head.startswith(magic):
            return kind
    if suffix_of(file) == SHEET_SUFFIX and head.startswith(_ZIP):
        return "sheet"
    _refuse(head, file)
    text = head.removeprefix(codecs.BOM_UTF8)
    suffix = suffix_of(file)
    if is_whole and not text.strip():
        what = "there are only blank lines in it" if head else "the file is empty"
        is_table = suffix in TABLE_SUFFIXES
        hint = (
            "write a line of names, and a row a line"
            if is_table
            else "write one JSON object per line"
        )
        raise DataError(what, hint=hint)
    start = text.lstrip()[:1]
    if start in (b"{", b"[") and (not _is_by_name(suffix) or _is_json_line(text)):
        return _layout(text, is_whole, suffix)
    return _kind_of_text(text, is_whole, suffix)


def _kind_of_text(text: bytes, is_whole: bool, suffix: str) -> Kind:
    if suffix in YAML_SUFFIXES:
        hint = "write its rows as JSONL, one JSON object a line"
        raise DataError("this is YAML, which is not read", hint=hint)
    if suffix in TABLE_SUFFIXES:
        return "table"
    if suffix in TEXT_SUFFIXES:
        return "table" if suffix == ".txt" and _is_tab_table(text, is_whole) else "text"
    return "table" if suffix not in JSON_SUFFIXES and delimiter_of(text, suffix) else "lines"


def _is_tab_table(text: bytes, is_whole: bool) -> bool:
    """Whether the first lines have as many tabs as names of columns, as Excel's Unicode text has."""
    whole = text.splitlines()[: None if is_whole else -1]
    lines = [line for line in whole[:_FIRST_LINES] if line.strip()]
    counts = {line.count(b"\t") for line in lines}
    if len(lines) < _FEWEST_LINES or len(counts) > 1 or 0 in counts:
        return False
    return not reads_like_a_row(lines[0].decode("utf-8", "replace").split("\t"))


def _refuse(head: bytes, file: str) -> None:
    if suffix_of(file) in _OFFICE and head.startswith(_ZIP):
        raise DataError("this is an office document, not a file of rows", hint=_DOCUMENTS)
    if head.startswith(_ZIP) and b"xl/" in head:
        raise DataError("this is an Excel workbook", hint="give it a name that ends with .xlsx")
    if head[_TAR_AT:].startswith(_TAR):
        hint = f"tar xf {file}, and name the file inside, or the folder"
        raise DataError("this is a tar archive, not a file of rows", hint=hint)
    if head.lstrip()[:20].lower().startswith(_WEB_PAGE):
        hint = "it may say why a download failed: look at it, and download the file anew"
        raise DataError("this is a web page (HTML), not a file of rows", hint=hint)
    for magic, what, hint in _REFUSED:
        if head.startswith(magic):
            raise DataError(f"this is {what}, not a file of rows", hint=hint.format(file=file))
    _refuse_no_text(head)


def _refuse_no_text(head: bytes) -> None:
    start = head[:_SNIFFED]
    if start and not start.strip(b"\0"):
        what = "this is no text file: it begins with a block of NULs"
        raise DataError(what, hint="it was damaged, or is cut off: copy or download it anew")
    if _is_no_text(head[:_LOOKED_AT]):
        what = "this is no text file: it is full of control characters and NULs"
        raise DataError(what, hint=_NO_ROWS)
    for first, order in ((1, "LE"), (0, "BE")):
        zeros, others = start[first::2].count(0), start[1 - first :: 2].count(0)
        if zeros > _ZERO_SHARE * len(start[first::2]) and others < _ZERO_SHARE * len(start) / 2:
            hint = how_to_name_encoding(f"utf-16-{order.lower()}")
            raise DataError("this looks like UTF-16 text, UTF-8 is expected", hint=hint)


def _is_no_text(start: bytes) -> bool:
    """Whether control characters are all over it, and not the zeros of UTF-16 alone, nor in rows of JSON."""
    if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        return False
    zeros = [start[first::2].count(0) for first in (0, 1)]
    half = len(start) / 2
    if min(zeros) <= _CONTROL_SHARE * half and max(zeros) > _ZERO_SHARE * half:
        return False
    num_controls = len(start) - len(start.translate(None, _CONTROLS))
    return num_controls >= max(_FEWEST_CONTROLS, _CONTROL_SHARE * len(start))


def _is_by_name(suffix: str) -> bool:
    return suffix in (*TABLE_SUFFIXES, *TEXT_SUFFIXES)


def _is_json_line(text: bytes) -> bool:
    """Whether the first line holds JSON, whole or begun."""
    line = text.lstrip().partition(b"\n")[0].decode("utf-8", "replace").strip()
    return line.endswith(("}", "]", "},", "{", "[")) and line[1:2] in ('"', "{", "", " ", "}", "]")


def _layout(text: bytes, is_whole: bool, suffix: str) -> Kind:
    """One object per line, or JSON that is laid out otherwise: told by the first two lines."""
    lines = [line for line in text.split(b"\n") if line.strip()][:3]
    first, *others = (line.decode("utf-8", "replace").strip() for line in lines)
    if first.startswith("["):
        is_array = not others or ends_early(first) or all(map(_lists_rows, (first, *others)))
        return "array" if is_array else "lines"
    if not others:
        return "objects" if suffix == ".json" or (is_whole and ends_early(first)) else "lines"
    if not ends_early(first):
        return "lines"
    is_cut = len(lines) == 2 and not is_whole  # noqa: PLR2004 - the head ends within the second
    return "lines" if _is_row(others[0], is_cut=is_cut) else "objects"


def _lists_rows(line: str) -> bool:
    """Whether it is a whole array of rows, of which none may be a turn of a conversation."""
    rows: object = None
    with suppress(ValueError, RecursionError):
        rows = json.loads(line)
    return (
        isinstance(rows, list)
        and bool(rows)
        and all(isinstance(row, dict) and SPEAKERS.isdisjoint(row) for row in rows)
    )


def _is_row(line: str, *, is_cut: bool) -> bool:
    is_object = line.startswith("{") and not line.endswith(",")
    return is_object and (is_cut or not ends_early(line))
