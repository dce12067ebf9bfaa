"""The audit that a server writes: a thread takes what came meanwhile together, and who asks waits for it.

Several processes may write one file: each takes the lock, goes on from the last line there is, and lets go.
A line is accepted when the system has it, or with `is_synced` the disk; whoever it is about gets the end of
the answer after that."""

import asyncio
import contextlib
import fcntl
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from finewright.errors import DataError, FinewrightError
from finewright.store.appended import drop_torn_line
from finewright.store.atomic import os_errors, write_bytes
from finewright.store.signing import sign
from finewright_serve.audit.chain import (
    AuditLine,
    Link,
    head_fields,
    head_path,
    last_line,
    line_of,
    newest_head,
    older_path,
    older_paths,
    read_line,
    signed_part,
)

_LOG = logging.getLogger(__name__)
_MOST_AT_ONCE = 1000
_DAY = len("2026-12-01")
_AGAIN_SECONDS = 1.0
_MOST_WAITING_SECONDS = 5.0
Fields = Mapping[str, Any]  # Any: JSON
_LATE = "the audit cannot be written at the moment"


class Rotation(NamedTuple):
    """When another file begins: with each day in UTC, and from so many bytes on."""

    is_daily: bool = False
    most_bytes: int | None = None


_ONE_FILE = Rotation()


class _Waiting(NamedTuple):
    """A line that came at that time, and who waits for it."""

    at: str
    fields: Fields
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


class AuditLog:
    """Appends to a file. `fault` says why nothing can be written at the moment, and is empty otherwise."""

    def __init__(
        self,
        path: Path,
        *,
        every: int,
        seconds: float,
        is_synced: bool = False,
        rotation: Rotation = _ONE_FILE,
    ) -> None:
        """A head is signed after `every` lines, and after so many seconds with a line. Raises DataError for a
        file that was cut or changed at its end, and where there is no key to sign with."""
        self.fault = ""
        self._path, self._every, self._seconds = path, every, seconds
        self._is_synced, self._since_head, self._signed_at = is_synced, 0, time.monotonic()
        self._rotation = rotation
        self._file = self._opened()
        self._link, self._size, self._last_at = Link(), -1, ""
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise
        self._todo: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        with self._locked():
            num_torn = self._mend()
        torn = {"torn_bytes": num_torn} if num_torn else {}
        self._write([(_now(), {"kind": "begin", "process": os.getpid(), **torn})])
        self._sign()

    async def append(self, fields: Fields) -> None:
        """Add a line; no kill loses it once this returns. Raises FinewrightError where that takes too long:
        the line is written when it can be."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        timer = loop.call_later(_MOST_WAITING_SECONDS, _settle, [done], _LATE)
        self._todo.put(_Waiting(_now(), fields, loop, done))
        try:
            await done
        finally:
            timer.cancel()

    def close(self) -> None:
        """Write what is left, and a last head."""
        self._todo.put(None)
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            waiting, is_open = self._gathered()
            while waiting and not self._tried(waiting, is_open):
                time.sleep(_AGAIN_SECONDS)
            late = time.monotonic() - self._signed_at >= self._seconds
            is_due = late or self._since_head >= self._every or not is_open
            if self._since_head and is_due:
                with contextlib.suppress(OSError, FinewrightError):  # the next line tries again
                    self._sign()

    def _gathered(self) -> tuple[list[_Waiting], bool]:
        """What has come, and whether more may."""
        found: list[_Waiting] = []
        rest = self._seconds - (time.monotonic() - self._signed_at)
        patience = max(0.01, rest) if self._since_head else None
        with contextlib.suppress(queue.Empty):
            while len(found) < _MOST_AT_ONCE:
                item = self._todo.get(timeout=patience) if not found else self._todo.get_nowait()
                if item is None:
                    return found, False
                found.append(item)
        return found, True

    def _tried(self, waiting: Sequence[_Waiting], is_open: bool) -> bool:
        try:
            self._write([(each.at, each.fields) for each in waiting])
        except (OSError, FinewrightError) as error:
            if not self.fault:
                _LOG.error("the audit cannot be written, and nobody is answered: %s", error)
            self.fault = str(error)
            return not is_open  # at the end nothing is waited for; the log has said it
        if self.fault:
            _LOG.warning("the audit is written again; no line was lost")
        self.fault = ""
        of_loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for each in waiting:
            of_loops.setdefault(each.loop, []).append(each.done)
        for loop, done in of_loops.items():
            with contextlib.suppress(RuntimeError):  # it has ended, and nobody waits
                loop.call_soon_threadsafe(_settle, done, "")
        return True

    def _is_current(self) -> bool:
        """Or has another process begun another file meanwhile?"""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        return False

    def _reopen(self) -> None:
        """Open and lock the file that is written now."""
        self._size = -1
        while True:
            self._file = self._opened()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if self._is_current():
                return
            self._file.close()

    def _opened(self) -> BinaryIO:
        with os_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            return self._path.open("a+b", buffering=0)

    def _write(self, waiting: Sequence[tuple[str, Fields]]) -> None:
        with self._locked():
            self._catch_up()
            if self._is_full(waiting[0][0]):
                self._rotate()
            link, parts = self._link, []
            for at, fields in waiting:
                raw, link = line_of(link, at, fields)
                parts.append(raw)
            self._put(b"".join(parts), link)
            self._last_at = waiting[-1][0]
        self._since_head += len(waiting)

    def _put(self, content: bytes, link: Link) -> None:
        """All of it, or nothing."""
        begin = self._size
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
            if self._is_synced:
                os.fdatasync(self._file.fileno())
        except OSError:
            self._file.truncate(begin)
            raise
        self._link, self._size = link, begin + len(content)

    def _is_full(self, at: str) -> bool:
        """Does another file begin with a line of that time?"""
        if not self._size:
            return False
        if self._rotation.most_bytes is not None and self._size >= self._rotation.most_bytes:
            return True
        return self._rotation.is_daily and self._last_at[:_DAY] < at[:_DAY]

    def _rotate(self) -> None:
        """Sign this file's end, give it the number of its first line as a name, and begin another."""
        last = last_line(self._file)
        if not isinstance(last, AuditLine) or last.fields.get("kind") != "head":
            self._sign_here()
        self._file.seek(0)
        first = read_line(self._file.readline())
        if isinstance(first, str):
            raise DataError(f"{self._path}: its first line is broken: {first}", hint=_HINT)
        full = self._file
        with os_errors(self._path):
            self._path.rename(older_path(self._path, first.link.number))
        self._reopen()
        full.close()
        self._catch_up()

    def _sign(self) -> None:
        with self._locked():
            self._catch_up()
            self._sign_here()

    def _sign_here(self) -> None:
        signature = sign(signed_part(self._link))
        if signature is None:
            hint = "give this user a home, or set XDG_CONFIG_HOME"
            raise DataError("serve.audit: there is no key to sign it with", hint=hint)
        raw, link = line_of(self._link, _now(), head_fields(self._link, signature))
        self._put(raw, link)
        os.fdatasync(self._file.fileno())  # before the head that knows of all these lines
        write_bytes(head_path(self._path), raw, mode=0o600)
        self._since_head, self._signed_at = 0, time.monotonic()

    def _catch_up(self) -> None:
        """Where another process has written meanwhile, its last line is the one to follow."""
        if os.fstat(self._file.fileno()).st_size == self._size:
            return
        self._mend()

    def _mend(self) -> int:
        """Find the end of the chain, and cut off what a kill left of a line that was never accepted."""
        size = os.fstat(self._file.fileno()).st_size
        drop_torn_line(self._file)
        self._size = self._file.seek(0, os.SEEK_END)
        line = last_line(self._file)
        if line is None and (older := older_paths(self._path)):
            with older[-1].open("rb") as file:
                line = last_line(file)
        if isinstance(line, str):
            raise DataError(f"{self._path}: its last line is broken: {line}", hint=_HINT)
        head = newest_head(self._path)
        self._link = Link() if line is None else line.link
        self._last_at = "" if line is None else str(line.fields.get("at", ""))
        if head is not None and head.link.number > self._link.number:
            what = f"it ends with line {self._link.number}, and {head.link.number} were signed"
            raise DataError(f"{self._path}: {what}", hint=_HINT)
        return size - self._size

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        if not self._is_current():
            full = self._file
            self._reopen()
            full.close()
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


_HINT = "`finewright audit verify` says more; move it and its head away to begin another"


def _settle(waiting: "Sequence[asyncio.Future[None]]", late: str) -> None:
    """In the event loop: go on, or fail with what is late."""
    for done in waiting:
        if done.done():
            continue
        if late:
            done.set_exception(FinewrightError(late))
        else:
            done.set_result(None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
