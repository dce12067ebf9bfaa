"""A framework's process: whose Python runs it, how it ended, and what it took. Nothing is installed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import Interrupted, StageError
from finewright.schema.common import Problem
from finewright.train.backends import BackendJob, BackendRow
from finewright.train.by_backend import LOG

_VERSIONS = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""
_IGNORED = -100
"""What torch's cross-entropy leaves out, by its own default."""
_ASK_SECONDS = 60
_LOOK_SECONDS = 0.2
_WAIT_SECONDS = 10
"""For a framework to end by itself after it is asked to."""
_LONGEST_LINE = 300


class Ended(NamedTuple):
    """How long a process ran, and the most memory it had."""

    seconds: float
    peak_gib: float


def variable_of(name: str) -> str:
    """The environment variable that names a framework's Python."""
    return f"FINEWRIGHT_{name.upper()}_PYTHON"


def python_of(name: str) -> str:
    """The interpreter that runs a framework: the user's, or this one."""
    return os.environ.get(variable_of(name)) or sys.executable


@cache
def versions_in(python: str, packages: tuple[str, ...]) -> Mapping[str, str]:
    """Those of the packages that an interpreter has. Raises StageError where it is none."""
    try:
        done = subprocess.run(
            [python, "-c", _VERSIONS, *packages],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ASK_SECONDS,
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        raise StageError(f"{python}: no Python that runs") from None
    return found


def missing(name: str, package: str) -> Iterator[Problem]:
    """That the framework's Python has no such package, and how to name one that has."""
    try:
        is_there = package in versions_in(python_of(name), (package,))
        what = f"{python_of(name)} has no {package}"
    except StageError as error:
        is_there, what = False, str(error)
    if not is_there:
        yield Problem(
            level="error",
            key="train.backend",
            message=what,
            hint=f"make an environment with it, and set {variable_of(name)} to its Python",
        )


def tokens_of(row: BackendRow) -> dict[str, list[int]]:
    """Token ids, and as labels those that are learned."""
    both = zip(row.input_ids, row.trained, strict=True)
    labels = [token if is_learned else _IGNORED for token, is_learned in both]
    return {"input_ids": list(row.input_ids), "labels": labels}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One a line, as JSON."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def run_framework(
    job: BackendJob, arguments: Sequence[str], more: Mapping[str, str] | None = None
) -> Ended:
    """Run the framework's Python in the job's scratch folder; what it prints goes to `backend.log`.

    Raises StageError with its last line where it fails, and Interrupted where the user wants it to end."""
    threads = str(job.spec.threads or 1)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(job.scratch / "cache"),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": "",  # this interpreter's packages are not the framework's
        **(more or {}),
    }
    log = job.folder / LOG
    started = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python_of(job.spec.backend), *arguments],
            cwd=job.scratch,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is this process's to answer
        )
        code, kib = _wait(process.pid, job.should_stop)
    process.returncode = code  # it was waited for by its id
    if code:
        raise StageError(
            f"{job.spec.backend} failed: {_last_line(log)}", hint=f"{log} has its words"
        )
    return Ended(time.monotonic() - started, kib / 2**20)


def _wait(pid: int, should_stop: Callable[[], int]) -> tuple[int, int]:
    """Its exit code and the most KiB that it had resident."""
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss
        if number := should_stop():
            _stop(pid)
            raise Interrupted(
                "stopped while another framework trained; it begins anew",
                signal_number=number,
                hint="the same command again",
            )
        time.sleep(_LOOK_SECONDS)


def _stop(pid: int) -> None:
    """End the process and all that it started."""
    os.killpg(pid, signal.SIGTERM)
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(_LOOK_SECONDS)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")[
        :_LONGEST_LINE
    ]
