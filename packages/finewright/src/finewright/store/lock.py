"""run.lock: one writer per run, freed by the kernel however that writer ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from finewright.errors import StoreError
from finewright.store.atomic import os_errors, sweep
from finewright.store.rundir import RunDir

# `holder` takes a shared lock for an instant; a writer that meets it tries again.
_TRIES = 5
_PAUSE_S = 0.02
_UNKNOWN_PID = 0


@contextmanager
def run_lock(run: RunDir) -> Iterator[None]:
    """Be the one writer of a run; StoreError at once when another process is.

    Clears what killed writers left. Covers processes that take the lock, on file systems with
    flock; does not stop a program that writes without asking."""
    with os_errors(run.lock):
        descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _take(run, descriptor)
        try:
            yield
        finally:
            # A forked child may share the descriptor, so closing it alone would not free the lock.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def holder(run: RunDir) -> int | None:
    """The process that holds the run's lock, or None; 0 when it has not yet said who it is."""
    if not run.lock.exists():
        return None
    with os_errors(run.lock):
        descriptor = os.open(run.lock, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return None if _locks(descriptor, fcntl.LOCK_SH) else _pid(descriptor)
        finally:
            os.close(descriptor)


def _take(run: RunDir, descriptor: int) -> None:
    with os_errors(run.lock):
        for _ in range(_TRIES):
            if _locks(descriptor, fcntl.LOCK_EX):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                sweep(run.root)
                return
            time.sleep(_PAUSE_S)
    process = _pid(descriptor)
    who = f"process {process}" if process else "another process"
    raise StoreError(
        f"{run.root}: run is in use by {who}", hint="wait for it to end, or stop it, then try again"
    )


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else _UNKNOWN_PID
