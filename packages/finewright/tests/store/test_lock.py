import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from finewright.errors import StoreError
from finewright.store.lock import holder, run_lock
from finewright.store.rundir import RunDir

HOLD = """
import sys, time
from pathlib import Path
from finewright.store.lock import run_lock
from finewright.store.rundir import RunDir
with run_lock(RunDir(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""

FORK = """
import os, signal, sys
from pathlib import Path
from finewright.store.lock import run_lock
from finewright.store.rundir import RunDir
with run_lock(RunDir(Path(sys.argv[1]))):
    child = os.fork()
    if child == 0:
        os.close(1)
        signal.pause()
print(child)
"""


@contextmanager
def other_process(run: RunDir) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLD, str(run.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_free_run_has_no_holder(run: RunDir) -> None:
    assert holder(run) is None
    assert not run.lock.exists()


def test_the_holder_is_the_process_that_has_the_lock(run: RunDir) -> None:
    with run_lock(run):
        assert holder(run) == os.getpid()
        assert run.lock.read_text() == f"{os.getpid()}\n"
    assert holder(run) is None


def test_a_run_in_use_names_the_process(run: RunDir) -> None:
    with other_process(run) as process:
        assert holder(run) == process.pid
        with (
            pytest.raises(StoreError, match=rf"run is in use by process {process.pid}$"),
            run_lock(run),
        ):
            pass


def test_a_killed_holder_frees_the_run(run: RunDir) -> None:
    with other_process(run) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert holder(run) is None
        with run_lock(run):
            assert holder(run) == os.getpid()


def test_the_lock_is_not_taken_twice_in_one_process(run: RunDir) -> None:
    with run_lock(run):
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"), run_lock(run):
            pass
        assert holder(run) == os.getpid()


def test_an_error_inside_frees_the_lock(run: RunDir) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(run):
        raise ZeroDivisionError
    assert holder(run) is None


def test_an_os_error_inside_is_not_blamed_on_the_lock(run: RunDir) -> None:
    with pytest.raises(FileNotFoundError), run_lock(run):
        (run.root / "no").read_text()


def test_a_forked_child_does_not_keep_the_lock(run: RunDir) -> None:
    command = [sys.executable, "-c", FORK, str(run.root)]
    child = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    try:
        assert holder(run) is None
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_look_at_the_holder_does_not_turn_a_writer_away(run: RunDir) -> None:
    run.lock.touch()
    with run.lock.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        timer = threading.Timer(0.01, fcntl.flock, (looking, fcntl.LOCK_UN))
        timer.start()
        with run_lock(run):
            assert holder(run) == os.getpid()
        timer.join()


def test_a_holder_that_has_not_said_who_it_is_counts_as_held(run: RunDir) -> None:
    with run.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(run) == 0
        with pytest.raises(StoreError, match="in use by another process"), run_lock(run):
            pass


def test_taking_the_lock_clears_what_a_killed_writer_left(run: RunDir) -> None:
    (run.root / ".report.json.0123abcd.tmp").write_text("half")
    with run_lock(run):
        assert not (run.root / ".report.json.0123abcd.tmp").exists()


def test_a_read_only_folder_is_a_store_error(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match=r"run\.lock: .*read-only"), run_lock(run):
        pass
