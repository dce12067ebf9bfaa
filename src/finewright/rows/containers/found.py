"""What reading gives: rows, rows that cannot be read, and what must be said of the file."""

import base64
from typing import Any, Literal, NamedTuple, TypeAlias

from finewright.schema.common import Problem
from finewright.schema.listing import NOT_UTF8


class ReadRow(NamedTuple):
    """One row of a file, at a line or place that counts from 1."""

    file: str
    row: int
    data: dict[str, Any]  # Any: what a row holds is only known after validation


class Unread(NamedTuple):
    """A row that is there and cannot be read: why, and its bytes where they were kept."""

    problem: Problem
    content: bytes | None = None
    is_table: bool = False


Found: TypeAlias = ReadRow | Unread | Problem


def not_utf8(file: str, where: str, row: int | None = None) -> Problem:
    """That the bytes of the row, or the file, are no UTF-8; `where` names the first of them."""
    hint = f"if it is Windows text: iconv -f WINDOWS-1252 -t UTF-8 {file} > {file}.new"
    return said(file, f"{NOT_UTF8}: {where}", hint, row)


def said(
    file: str,
    message: str,
    hint: str = "",
    row: int | None = None,
    level: Literal["error", "warning", "info"] = "error",
) -> Problem:
    """A problem of that file; with a `row`, of that row."""
    return Problem(level=level, file=file, row=row, message=message, hint=hint)


def raw_of(content: bytes | None) -> dict[str, str]:
    """The row's own bytes, and as text; of a row too long to hold, only its place is known."""
    if content is None:
        return {}
    try:
        return {"raw": content.decode()}
    except UnicodeDecodeError:
        shown = content.decode(errors="backslashreplace")
        return {"raw": shown, "raw_base64": base64.b64encode(content).decode()}
