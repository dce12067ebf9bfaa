"""One jail for what strangers' files are read by: documents, chat templates, headers of models.

A function of ours is called in a process of its own, which gives up at its start:

* memory beyond what its imports take (RLIMIT_AS), CPU seconds (RLIMIT_CPU, and counted from outside) and
  time on the clock, at which it is killed,
* the network, other programs, signals, tracing, and every change to files (seccomp, on Linux on x86-64 and
  arm64; elsewhere only memory, CPU and time are bounded),
* the environment's variables, so that no secret is in it.

What comes back is JSON, read here as data: nothing that it says is run. Not covered: it may read what the
user may read, since its libraries do, and then tell it in its answer; and a kernel with a hole."""

import atexit
import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import DataError, StoreError

_MOST_ANSWER = 256 << 20
"""Bytes of an answer: documents of up to 512 MiB are read, and their text is smaller."""
_CLOCK_PER_CPU, _CLOCK_MORE = 6, 20
"""On a busy machine a process gets a sixth of a core, and its start takes seconds."""
_CLOCK_START = 60
"""Seconds that a start may take: it was seen to take over 20 at a load of 14 on two cores."""
_LOOK_EVERY = 0.25
_PIPE = 1 << 16  # what a pipe of Linux holds
_ENVIRONMENT = {
    **{"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    **{"DO_NOT_TRACK": "1", "ORT_DISABLE_TELEMETRY": "1"},
}
_CHILD = "import sys; sys.path[:] = {path!r}; from finewright.store.jailed import serve; serve({needs!r})"


@cache
def _say_unsealed() -> None:
    """Once a process, not once a file."""
    logging.getLogger(__name__).warning(
        "this system cannot take the network and other programs from what reads strangers' files:"
        " only its memory and time are bounded"
    )


class Limits(NamedTuple):
    """What one call may take."""

    cpu_seconds: float = 4.0
    memory_mib: int = 384


class Jailed(DataError):  # noqa: N818 - reads as a claim where it is raised
    """A call took more than it may have, or ended its process."""


def run_jailed(
    function: Callable[..., Any],
    *arguments: Any,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    needs: Sequence[str] = (),
) -> Any:  # Any: JSON
    """What a function of a module gives for JSON, in the jail; both ways nothing but JSON.

    `needs` are modules whose import does not count. The process is kept for the next call.
    Raises Jailed where it takes more than `limits`, or raises what is not caught in it."""
    key = (function.__module__, tuple(needs))
    with _lock:
        worker = _workers.get(key)
        if worker is None or not worker.is_ours:
            worker = _workers[key] = _Worker((function.__module__, *needs))
    return worker.call(function.__qualname__, arguments, limits)


class _Worker:
    """A process in the jail, and the pipes to it."""

    def __init__(self, needs: Sequence[str]) -> None:
        path = [each for each in sys.path if each]
        command = [sys.executable, "-I", "-S", "-B", "-c", _CHILD.format(path=path, needs=needs)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        self._owner, self._is_ended = os.getpid(), False
        self._lock = threading.Lock()
        started = self._read(_deadline(_CLOCK_START), _CLOCK_START)
        if started.get("ready") is not True:
            self.end()
            what = f"the process that reads strangers' files did not start within {_CLOCK_START} s"
            raise StoreError(what, hint="try again when this machine is less busy")
        if started.get("sealed") is not True:
            _say_unsealed()

    @property
    def is_ours(self) -> bool:
        """Whether it can be called, and from this process, which may have been forked from the one that began
        it."""
        return self._owner == os.getpid() and not self._is_ended

    def call(self, name: str, arguments: Sequence[Any], limits: Limits) -> Any:  # Any: JSON
        request = json.dumps([name, arguments, limits.cpu_seconds, limits.memory_mib]).encode()
        with self._lock:
            answer = self._exchange(request, limits)
            if answer.get("last") or answer.keys().isdisjoint(("value", "error", "memory")):
                self.end()
        if "value" in answer:
            return answer["value"]
        raise Jailed(_why(answer, limits))

    def _exchange(self, request: bytes, limits: Limits) -> dict[str, Any]:
        deadline = _deadline(_CLOCK_MORE + _CLOCK_PER_CPU * limits.cpu_seconds)
        try:
            self._send(len(request).to_bytes(8, "little") + request)
            return self._read(deadline, limits.cpu_seconds)
        except OSError:
            return {"ended": self._wait_for_end()}

    def _send(self, request: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(request)
        while view:
            view = view[self._process.stdin.write(view) :]

    def _read(self, deadline: float, cpu_seconds: float) -> dict[str, Any]:
        """The next answer, or why there is none: the process is ended then."""
        assert self._process.stdout is not None
        out, length, parts = self._process.stdout.fileno(), -1, bytearray()
        most_cpu = 0.0
        while length < 0 or len(parts) < length + 8:
            if not select.select([out], [], [], _LOOK_EVERY)[0]:
                late, cpu = time.monotonic() > deadline, self._cpu_seconds()
                most_cpu = most_cpu or cpu + cpu_seconds
                if late or cpu > most_cpu:
                    self.end()
                    return {"late" if late else "cpu": True}
                continue
            piece = os.read(out, _PIPE)
            if not piece:
                return {"ended": self._wait_for_end()}
            parts += piece
            if length < 0 and len(parts) >= 8:  # noqa: PLR2004 - bytes of a length
                length = int.from_bytes(parts[:8], "little")
            if length > _MOST_ANSWER:
                self.end()
                return {"long": True}
        return _dict_of(parts[8:])

    def _cpu_seconds(self) -> float:
        """That it has taken so far, by the kernel's count; 0 where there is no /proc."""
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def _wait_for_end(self) -> int:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)  # it has closed its pipe, or is about to end
        self.end()
        return -self._process.returncode

    def end(self) -> None:
        """Kill it with all that it has started."""
        self._is_ended = True
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what it did not take any more
                assert pipe is not None
                pipe.close()


def _deadline(seconds: float) -> float:
    return time.monotonic() + seconds


def _dict_of(text: bytearray) -> dict[str, Any]:  # Any: JSON
    """What the process says, which may be anything."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {"broken": True}
    return said if isinstance(said, dict) else {"broken": True}


def _why(answer: dict[str, Any], limits: Limits) -> str:  # Any: JSON
    """What a call without a value is told as."""
    if "cpu" in answer or answer.get("ended") == signal.SIGXCPU:
        return f"it takes more than {limits.cpu_seconds:.3g} s of a core"
    if "memory" in answer:
        return f"it takes more than {limits.memory_mib} MiB of memory"
    if "late" in answer:
        return "it does not end"
    if "error" in answer:
        return " ".join(str(answer["error"]).split())[:300]
    if "long" in answer:
        return f"it gives more than {_MOST_ANSWER >> 20} MiB"
    return "what reads it broke off"


_workers: dict[tuple[str, tuple[str, ...]], _Worker] = {}
_lock = threading.Lock()


@atexit.register
def _end_all() -> None:
    for worker in _workers.values():
        if worker.is_ours:
            worker.end()
