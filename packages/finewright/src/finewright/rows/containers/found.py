"""What reading gives: rows, rows that cannot be read, and what must be said of the file."""

import base64
from typing import Any, Literal, NamedTuple, TypeAlias

from finewright.schema.common import Problem
from finewright.schema.listing import NOT_UTF8

RepairKind = Literal[
    "repeated_keys",
    "last_of_two",
    "not_a_number",
    "quotes",
    "failed_formula",
    "many_digits",
    "full_cell",
    "other_format",
]
# What is read as it stands, and said: nothing in the row is changed.
AS_IT_STANDS: frozenset[RepairKind] = frozenset(
    ("failed_formula", "many_digits", "full_cell", "other_format")
)
_REPAIRS: dict[RepairKind, tuple[str, str]] = {
    "repeated_keys": ("the key stands twice in one object, with one value", "keep one of them"),
    "last_of_two": (
        "the key stands twice in one object, with two values; the last is read",
        "keep one of them",
    ),
    "not_a_number": (
        "NaN or an infinity, which is not JSON, is read as null",
        "write null, or leave the key out",
    ),
    "quotes": (
        "quotes inside a quoted cell are not doubled, or it is not closed; they are read as part of its text",
        "double each quote inside a quoted cell, and close the cell",
    ),
    "failed_formula": (
        "what a spreadsheet shows for a formula that fails, and no value",
        "fix the formula, or empty the cell",
    ),
    "many_digits": (
        "a number of more than 15 digits: a workbook keeps no more, and the last ones may be others",
        "write such numbers as text, as where they come from has them",
    ),
    "full_cell": (
        "a text of 32,767 characters, after which a workbook cuts",
        "compare it with where it comes from",
    ),
    "other_format": (
        "a number in a format that is not followed; it is read as it is stored",
        "if the format matters, save the sheet as CSV",
    ),
}


class Repair(NamedTuple):
    """What stood in a row against the rules of its container and was read all the same, and at which key."""

    kind: RepairKind
    key: str = ""

    def says(self) -> tuple[str, str]:
        """What was wrong, and the mend."""
        return _REPAIRS[self.kind]


class ReadRow(NamedTuple):
    """One row of a file, at a line or place that counts from 1."""

    file: str
    row: int
    data: dict[str, Any]  # Any: what a row holds is only known after validation
    repairs: tuple[Repair, ...] = ()


class Unread(NamedTuple):
    """A row that is there and cannot be read: why, and its bytes where they were kept."""

    problem: Problem
    content: bytes | None = None
    is_table: bool = False


Found: TypeAlias = ReadRow | Unread | Problem


def not_utf8(file: str, where: str, row: int | None = None) -> Problem:
    """That the bytes of the row, or the file, are no UTF-8; `where` names the first of them.

    What the bytes may be instead is said by who knows the whole file."""
    return file_problem(file, f"{NOT_UTF8}: {where}", "", row)


def file_problem(
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
