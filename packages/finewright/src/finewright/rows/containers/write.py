"""JSONL files that are written a line at a time, and are whole or absent."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from finewright.store.atomic import beside, os_errors


@contextmanager
def jsonl_at(path: Path) -> Iterator[Callable[[object], None]]:
    """A function that writes a record; the file is at `path` when the block ends well, else not at all.

    The folder must exist; what was at `path` is replaced."""
    temporary = beside(path)
    with os_errors(path):
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                yield lambda record: _write(file.write, record)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _write(write: Callable[[str], object], record: object) -> None:
    write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
