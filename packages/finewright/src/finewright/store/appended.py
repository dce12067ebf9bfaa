"""A file of lines that grows batch by batch, and goes on where a kill cut it."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel

from finewright.errors import DataError
from finewright.store.atomic import os_errors, read_json, write_json


def settings_path(out: Path) -> Path:
    """Where the settings of such a file lie."""
    return out.with_name(f"{out.name}.settings.json")


def claim(out: Path, settings: BaseModel) -> None:
    """Make the file ours: empty and new, or begun with these very settings.

    Raises DataError for a file that we did not begin, and for one of other settings, naming what differs;
    such a file is not touched. One that has no line yet may take other settings."""
    beside = settings_path(out)
    if not out.parent.is_dir():
        raise DataError(f"{out.parent}: there is no such folder", hint="make it first")
    if not beside.exists():
        if out.exists():
            raise DataError(f"{out}: already there", hint="name another file with --out")
        write_json(beside, settings.model_dump(mode="json"))
        return
    _go_on(out, beside, settings)


def _go_on(out: Path, beside: Path, settings: BaseModel) -> None:
    begun = read_json(beside, type(settings), hint="name another file with --out").model_dump()
    wanted = settings.model_dump()
    other = [key for key in wanted if wanted[key] != begun[key]]
    if other and not (out.exists() and out.stat().st_size):
        with appending(out):
            write_json(beside, settings.model_dump(mode="json"))
    elif other:
        key = other[0]
        raise DataError(
            f"{out}: begun with other settings: {_change(key, begun[key], wanted[key])}",
            hint="repeat the first call, or name another file with --out",
        )


def _change(key: str, begun: object, wanted: object) -> str:
    """What differs; of a digest also what it is of, which is all that a reader knows it by."""
    change = f"{key} was {begun!r} and is {wanted!r}"
    what = key.removesuffix("_sha256")
    return change if what == key else f"different {what} ({change})"


@contextmanager
def appending(out: Path, *, problem: str = "", hint: str = "wait for it") -> Iterator[BinaryIO]:
    """The file, open to read and write by one process alone. Raises DataError, with `problem` where the words
    are the caller's, while another one has it."""
    with os_errors(out), out.open("a+b") as file:
        if not _locks(file, out):
            raise DataError(problem or f"{out}: another process is writing it", hint=hint)
        try:
            yield file
        finally:
            # A forked child may share the descriptor, so closing it alone would not free the lock.
            fcntl.flock(file, fcntl.LOCK_UN)


def _locks(file: BinaryIO, path: Path) -> bool:
    """Whether we have locked it. One that its holder removed before we had the lock is not the file any
    more."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def drop_torn_line(file: BinaryIO) -> None:
    """Cut off what a kill left of a last line; a file that ends as it must is not read."""
    if not file.seek(0, os.SEEK_END):
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def keep_batches(file: BinaryIO, batch_size: int, num_all: int) -> list[bytes]:
    """The lines of the whole batches that the file holds; what a kill left after them is cut off.

    A batch is made again as a whole, so that a file that was cut ends up with the same bytes."""
    file.seek(0)
    lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
    is_done = len(lines) >= num_all
    kept = lines[: num_all if is_done else len(lines) // batch_size * batch_size]
    file.truncate(sum(map(len, kept)))
    return kept


def append(file: BinaryIO, lines: Sequence[bytes]) -> None:
    """Add whole lines; they are on the disk when this returns."""
    file.write(b"".join(lines))
    file.flush()
    os.fsync(file.fileno())
