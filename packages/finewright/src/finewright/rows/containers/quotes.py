"""A CSV record whose quoted cells hold quotes that nobody doubled: `"say "hi" now",yes`.

A quote closes its cell only before a delimiter or the end of the line, blanks between left out; any other is
text, as is all of `"hi" she said,yes`. Python's csv reads such cells too, but loses quotes of them. Where
quotes have a backslash before them, as MySQL and Spark write them, and that gives a record of the table's
width, it is no part of the text."""

from collections.abc import Sequence


def cells_of(
    text: str, delimiter: str, width: int, *, may_be_open: bool = False
) -> Sequence[str] | None:
    """The cells of the record; None where a quoted cell does not end, unless that is then read as text."""
    if '\\"' in text:
        cells = _cells(text, delimiter, may_be_open, '\\"')
        if cells is not None and len(cells) == width:
            return cells
    return _cells(text, delimiter, may_be_open, '""')


def _cells(text: str, delimiter: str, may_be_open: bool, escaped: str) -> Sequence[str] | None:
    cells: list[str] = []
    at, end = 0, len(text)
    while True:
        is_quoted = text[at : at + 1] == '"'
        close = _closing(text, at + 1, delimiter, escaped == '\\"') if is_quoted else -1
        if close is None and not may_be_open:
            return None
        if close is not None and close > 0:
            cells.append(text[at + 1 : close].replace(escaped, '"'))
            at = _next(text, delimiter, close + 1)
        else:
            stop = _next(text, delimiter, at)
            cells.append(text[at:stop])
            at = stop
        if at >= end:
            return cells
        at += 1


def _closing(text: str, at: int, delimiter: str, has_backslash: bool) -> int | None:
    """Where the quote is that closes the cell which begins there."""
    while (quote := text.find('"', at)) >= 0:
        if has_backslash and text[quote - 1] == "\\":
            at = quote + 1
        elif text[quote + 1 : quote + 2] == '"' and not _ends_cell(text, quote + 1, delimiter):
            at = quote + 2
        elif _ends_cell(text, quote, delimiter):
            return quote
        else:
            at = quote + 1
    return None


def _ends_cell(text: str, quote: int, delimiter: str) -> bool:
    at = quote + 1
    while text.startswith(" ", at):
        at += 1
    return at == len(text) or text[at] == delimiter


def _next(text: str, delimiter: str, at: int) -> int:
    """The place of the next delimiter, or else the end."""
    found = text.find(delimiter, at)
    return len(text) if found < 0 else found
