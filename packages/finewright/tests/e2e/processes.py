"""`finewright` in processes of its own, forked from one that has the model runtime loaded already.

A fork starts in milliseconds where a cold start takes seconds; signals, exit codes and file
descriptors are those of any other process."""

import json
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_PRELOADED = (
    "finewright.cli.main",
    "finewright.compare.stage",
    "finewright.train.stage",
    "finewright.train.methods.sft",
    "finewright.train.curves",
    "finewright_serve.run",
    "finewright_serve.gateway.native",
    "finewright.lm.engine.native",
    "transformers.models.llama.modeling_llama",
    "e2e.warm",
)
_MOST_SECONDS = 240.0  # on a busy machine, where an import alone may take a minute
_POLL_SECONDS = 0.002


class Result(NamedTuple):
    """How a command ended. A negative code is the signal that killed it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Running:
    """A command that may still run, and the files that its output goes to."""

    process: BaseProcess
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid or 0

    @property
    def shown(self) -> str:
        """All that it has written so far."""
        return self.out.read_text() + self.err.read_text()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def code(self, most_seconds: float = _MOST_SECONDS) -> int | None:
        """How it ended, once it has; None where it still runs after so long."""
        self.process.join(most_seconds)
        return self.process.exitcode

    def result(self) -> Result:
        """Wait until it ends."""
        code = self.code()
        if code is None:
            self.process.kill()
            raise TimeoutError(f"still running: {self.err.read_text()}")
        return Result(code, self.out.read_text(), self.err.read_text())


def start(
    arguments: tuple[str, ...],
    *,
    folder: Path,
    stdin: str = "",
    environ: Mapping[str, str] = {},
    is_cold: bool = False,
) -> Running:
    """Run `finewright` with these arguments in `folder`, which also gets the output's files.

    `is_cold` is for what must find packages that the process to fork from has not seen."""
    context = multiprocessing.get_context("spawn" if is_cold else "forkserver")
    if not is_cold:
        context.set_forkserver_preload(list(_PRELOADED))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
            ensure_running()
    number = len(list(folder.glob("*.out")))
    paths = [folder / f"{number}.{kind}" for kind in ("in", "out", "err")]
    paths[0].write_text(stdin)
    for path in paths[1:]:
        path.touch()
    environment = {**os.environ, **environ}
    process = context.Process(target=_child, args=(arguments, folder, paths, environment))
    process.start()
    return Running(process, paths[1], paths[2])


def wait_until(claim: Callable[[], bool], *, every_seconds: float = _POLL_SECONDS) -> None:
    """Return as soon as the claim holds; `every_seconds` it is looked at."""
    end = time.monotonic() + _MOST_SECONDS
    while not claim():
        if time.monotonic() > end:
            raise TimeoutError("it never came true")
        time.sleep(every_seconds)


def events(runs: Path, event_type: str, **fields: object) -> list[dict[str, Any]]:
    """The events of that type and those fields in the one run of a folder, torn lines left out."""
    found = []
    for path in runs.glob("2*/events.jsonl"):
        for line in path.read_bytes().splitlines(keepends=True):
            record = json.loads(line) if line.endswith(b"\n") else {}
            if record.get("type") == event_type and fields.items() <= record.items():
                found.append(record)
    return found


def _child(
    arguments: tuple[str, ...], folder: Path, paths: list[Path], environment: Mapping[str, str]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    flags = (os.O_RDONLY, *([os.O_WRONLY | os.O_CREAT | os.O_TRUNC] * 2))
    for descriptor, (path, flag) in enumerate(zip(paths, flags, strict=True)):
        opened = os.open(path, flag)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.path += environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["finewright", *arguments]
    from finewright.cli.main import main

    try:
        main()
    finally:
        logging.shutdown()  # as an interpreter does that ends by itself, which a child does not
