"""Rows out of a file or folder: whatever its bytes are, the answer is rows and problems, never a crash.

Covered: containers and encodings, byte order marks, JSON's own rules, and what JSON libraries take but
nothing after them can (NaN, infinities, repeated keys, lone surrogates, deep nesting). Not covered:
what the objects mean, which is validate.py's question."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from finewright.rows.containers.found import ReadRow, Unread
from finewright.rows.containers.parts import parts_of, refuse_missing
from finewright.rows.containers.rows import rows_of
from finewright.schema.common import Problem
from finewright.schema.listing import Listing

__all__ = ["ReadRow", "ReadRows", "read_rows", "records"]


class ReadRows(NamedTuple):
    """What a path gave. `num_bad` counts the rows that cannot be read, also those not listed."""

    rows: tuple[ReadRow, ...]
    problems: tuple[Problem, ...]
    num_bad: int


def records(path: Path, *, name: str = "") -> Iterator[ReadRow | Problem]:
    """The rows of a file, a folder or `hub:OWNER/NAME`, one at a time, and problems among them.

    An error that names a row is that of a row which cannot be read; any other is the file's. `name` is
    what messages call a file, by default its path. Blank lines are skipped and still count as lines. Raises
    DataError where there is no such file or folder."""
    refuse_missing(path, name)
    for part in parts_of(path, name):
        if isinstance(part, Problem):
            yield part
        else:
            for found in rows_of(part):
                yield found.problem if isinstance(found, Unread) else found


def read_rows(path: Path, *, name: str = "") -> ReadRows:
    """All that `records` gives, in memory."""
    rows, listing, num_bad = [], Listing(), 0
    for found in records(path, name=name):
        if isinstance(found, ReadRow):
            rows.append(found)
        else:
            listing.add(found)
            num_bad += found.level == "error" and found.row is not None
    return ReadRows(tuple(rows), listing.problems(), num_bad)
