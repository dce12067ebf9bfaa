"""Files and folders that are whole or absent: temporary name, fsync, rename, fsync of folder."""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from finewright.errors import StoreError

Record = TypeVar("Record", bound=BaseModel)

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP}
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}(?P<old>\.old)?\.tmp")


def write_bytes(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put `content` at `path`, replacing what was there; the folder must exist. `mode`: who may read it.

    After an error, a kill or a power cut the old file is there whole, or the new one is."""
    temporary = beside(path)
    with os_errors(path), _remove_afterwards(temporary):
        _fill(temporary, content, mode)
        temporary.replace(path)
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """`write_bytes` of indented JSON; refuses what JSON cannot say, NaN and infinities included."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path}: not expressible as JSON: {error}") from None
    write_text(path, text + "\n")


def append_line(path: Path, line: bytes, *, is_synced: bool = False) -> None:
    """Add a line in a single write, on a new line where a kill tore the last one.

    It survives a kill of this process, and a power cut where it is synced. Raises StoreError."""
    with os_errors(path):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if is_synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_json(path: Path, model: type[Record], *, hint: str) -> Record:
    """The record in a JSON file; `hint` is the mend when it is damaged."""
    with os_errors(path):
        content = path.read_bytes()
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"{path}: damaged, or written by another version: {where}: {first['msg']}", hint=hint
        ) from None


@contextmanager
def scratch_dir(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; gone when the block ends, unless it was renamed."""
    temporary = beside(path)
    with os_errors(path), _remove_afterwards(temporary):
        temporary.mkdir()
        yield temporary


@contextmanager
def replace_dir(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; when the block ends well it becomes `path`, else it is gone.

    A folder that is already at `path` stays until the new one is complete. A kill between the two
    renames of that swap is mended by `sweep`."""
    with scratch_dir(path) as temporary:
        yield temporary
        _sync_tree(temporary)
        _swap(temporary, path)
        _sync_folder(path.parent)


def sweep(folder: Path, *, spare: float = 0.0) -> None:
    """Clear what killed writers left under `folder`; only for its one writer, but what changed in the last
    `spare` seconds stays, as another writer's.

    A folder caught between the two renames of `replace_dir` gets its name back."""
    with os_errors(folder):
        for leftover in sorted(folder.rglob(".*.tmp")):
            match = _LEFTOVER.fullmatch(leftover.name)
            if match and leftover.exists() and not _has_changed_within(leftover, spare):
                _mend(leftover, leftover.with_name(match["name"]), is_old=bool(match["old"]))


def sha256_file(path: Path) -> str:
    """Digest of a file's bytes in hex, read in pieces."""
    with os_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn any OSError of the block into one line about `path` with a mend."""
    try:
        yield
    except OSError as error:
        raise _store_error(path, error) from None


def beside(path: Path) -> Path:
    """A free name next to `path` that `sweep` and `verify` know as temporary."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _store_error(path: Path, error: OSError) -> StoreError:
    if error.errno in _FULL:
        return StoreError(
            f"{path}: the disk is full",
            hint="free some space, then repeat the command; finished stages are kept",
        )
    if error.errno in _DENIED:
        return StoreError(
            f"{path}: permission denied, or the file system is read-only",
            hint="make the folder accessible, or choose another one",
        )
    return StoreError(
        f"{path}: {error.strerror or error}", hint="check the path, then repeat the command"
    )


@contextmanager
def _remove_afterwards(temporary: Path) -> Iterator[None]:
    try:
        yield
    finally:
        # The first error is the one worth telling, so a failing clean-up stays silent.
        with suppress(OSError):
            _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _fill(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync(Path(root, name))
        _sync_folder(Path(root))


def _sync_folder(folder: Path) -> None:
    try:
        sync(folder)
    except OSError as error:
        # Some network file systems cannot sync a folder; they order renames themselves.
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def sync(path: Path) -> None:
    """Have a file or a folder on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    old = fresh.with_name(f"{fresh.name.removesuffix('.tmp')}.old.tmp")
    path.rename(old)
    try:
        fresh.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _has_changed_within(path: Path, seconds: float) -> bool:
    try:
        return seconds > 0 and time.time() - path.stat().st_mtime < seconds
    except FileNotFoundError:
        return True  # its writer has just put it in place


def _mend(leftover: Path, target: Path, *, is_old: bool) -> None:
    if is_old and not target.exists():
        leftover.rename(target)
    else:
        _remove(leftover)
