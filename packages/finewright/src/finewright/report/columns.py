"""Tables and paragraphs in as many columns as a terminal has.

A table that is too wide is narrowed in three steps, each only where the one before does not do: cells of
words are wrapped; columns that do not fit stand in a further table beside the same first column; and where
not even that fits, each row is a list of `header: cell`. Numbers are never broken."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

# A number, with a unit or an interval behind it; no word such as 0-shot, and no digest.
_NUMERIC = re.compile(r"[-+<]?\s?(?![0-9.,]+-?[A-Za-z]{2})[0-9]")
_GAP = "  "
_NARROWEST = 16
"""A cell of words is wrapped to no less: a column of two or three words a line is slow to read."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """The rows under their header, a column of numbers flush right and any other flush left.

    Wide characters take two cells and combining marks none. Every row has as many cells as the header. No
    line is longer than `width`, if given."""
    columns = [[printable(cell) for cell in column] for column in zip(header, *rows, strict=True)]
    return "\n".join(_table(columns, width))


def is_numeric(column: Iterable[str]) -> bool:
    """Whether every cell that is not empty begins with a number."""
    filled = [cell for cell in column if cell]
    return bool(filled) and all(_NUMERIC.match(cell) for cell in filled)


def printable(text: str) -> str:
    """The text with a space for each control character, so that it cannot move the cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def wrap(text: str, width: int | None, indent: str = "") -> list[str]:
    """The text in lines of at most `width`, those after the first behind `indent`; a longer word is cut.

    The spaces at its beginning stand before each line."""
    if width is None or cells(text) <= width:
        return [text]
    body = text.lstrip(" ")
    margin = " " * min(len(text) - len(body), width // 2)
    indent = margin + indent if len(margin + indent) <= width // 2 else margin
    found, line = [], margin
    for word in body.split(" "):
        is_begun = bool(line.strip())
        if is_begun and cells(line) + 1 + cells(word) <= width:
            line += " " + word
            continue
        if is_begun:
            found.append(line.rstrip())
            line = indent
        *whole, rest = _pieces(word, width - max(cells(line), len(indent))) or [""]
        for piece in whole:
            found.append(line + piece)
            line = indent
        line += rest
    return [*found, line.rstrip()]


def cells(text: str) -> int:
    """The columns of a terminal that the text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _table(columns: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    natural = [max(map(cells, column)) for column in columns]
    least = [_least(column, whole) for column, whole in zip(columns, natural, strict=True)]
    if width is None or _total(natural) <= width:
        yield from _lines(columns, natural)
    elif _total(least) <= width:
        yield from _lines(columns, _shrink(natural, least, width))
    elif (parts := _parts(least, keys := _num_keys(columns), width)) is not None:
        for number, part in enumerate(parts):
            yield from [""] if number else []
            yield from _table([*columns[:keys], *(columns[i] for i in part)], width)
    else:
        yield from _records(columns, width)


def _num_keys(columns: Sequence[Sequence[str]]) -> int:
    """How many of the first columns tell the rows apart: one or two."""
    is_unique = len(set(columns[0])) == len(columns[0])
    return 1 if is_unique or len(columns) < 3 else 2  # noqa: PLR2004 - two keys and a value


def _least(column: Sequence[str], natural: int) -> int:
    """The least width of a column: numbers stay whole, words are broken at spaces."""
    header, *body = column
    longest_word = max((cells(word) for cell in column for word in cell.split(" ")), default=0)
    if is_numeric(body):
        words = max((cells(word) for word in header.split(" ")), default=0)
        return max(words, max(map(cells, body), default=0))
    return min(natural, max(longest_word, _NARROWEST))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _shrink(natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """The widths, the widest that may give way a cell at a time."""
    widths = [*natural]
    while _total(widths) > width:
        open_ = [i for i, each in enumerate(widths) if each > least[i]]
        widths[max(open_, key=lambda i: widths[i])] -= 1
    return widths


def _parts(least: Sequence[int], keys: int, width: int) -> list[list[int]] | None:
    """The columns after the keys, as many together as fit beside these; None where one does not."""
    first = [*least[:keys]]
    parts: list[list[int]] = []
    for i in range(keys, len(least)):
        if not parts or _total([*first, *(least[j] for j in parts[-1]), least[i]]) > width:
            parts.append([])
        parts[-1].append(i)
        if _total([*first, least[i]]) > width:
            return None
    return parts or None


def _lines(columns: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    is_right = [is_numeric(column[1:]) for column in columns]
    for row in zip(*columns, strict=True):
        wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for k in range(max(map(len, wrapped))):
            line = [
                _pad(cell[k] if k < len(cell) else "", width, right=right)
                for cell, width, right in zip(wrapped, widths, is_right, strict=True)
            ]
            yield _GAP.join(line).rstrip()


def _records(columns: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    header, *rows = zip(*columns, strict=True)
    for row in rows:
        first, *rest = zip(header, row, strict=True)
        yield from wrap(first[1], width, _GAP)
        for name, cell in rest:
            if cell:
                yield from wrap(f"{_GAP}{name}: {cell}", width, _GAP)


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - cells(cell))
    return space + cell if right else cell + space


def _pieces(word: str, room: int) -> list[str]:
    """The word in pieces of at most so many cells, each of a character at least."""
    pieces: list[str] = []
    used = 0
    for character in word:
        size = _cells_of(character)
        if not pieces or used + size > room:
            pieces.append("")
            used = 0
        pieces[-1] += character
        used += size
    return pieces


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
