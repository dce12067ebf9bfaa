"""llama.cpp's own HTTP server on a GGUF file, in a process that ends with ours."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from finewright.errors import MissingExtra, ModelError

COMMAND = (sys.executable, "-P", "-W", "ignore", str(Path(__file__).with_name("program.py")))
_LINES = 3
_MOST_THREADS = 64


@dataclass(frozen=True, slots=True)
class LlamacppServer:
    """A server on this machine: its address, without /v1, and the key that opens it. `speeds` are the tokens
    a second that were measured with each number of threads; empty where the number was given."""

    process: "subprocess.Popen[str]"
    url: str
    key: str
    threads: int
    speeds: Mapping[int, float]

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended, whyever."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def require_llamacpp(why: str) -> None:
    """Raises MissingExtra."""
    if find_spec("xllamacpp") is None:
        hint = 'pip install "xllamacpp>=2026.10"'
        raise MissingExtra(f"llama.cpp is not installed, and {why}", hint=hint)


def start_llamacpp(
    model: Path,
    adapters: Sequence[Path] = (),
    *,
    context: int,
    parallel: int,
    threads: int | None = None,
) -> LlamacppServer:
    """Start it; `context` is of each of the `parallel` answers. Without `threads` their best number is
    measured. Raises ModelError where llama.cpp cannot read a file, with its own words."""
    key = secrets.token_urlsafe(32)
    given = {
        "serve": True,
        "model": str(model),
        "adapters": [str(path) for path in adapters],
        "context": context,
        "parallel": parallel,
        "key": key,
        "threads": _numbers() if threads is None else [threads],
    }
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps(given) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            if line.startswith("{"):
                found = json.loads(line)
                speeds = {int(number): speed for number, speed in found["speeds"].items()}
                return LlamacppServer(process, found["url"], key, found["threads"], speeds)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        log.seek(0)
        raise ModelError(f"{model.name}: llama.cpp cannot serve it: {reason_of(log.read())}")


def reason_of(text: str) -> str:
    """The last lines of a log that speak of an error, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return "; ".join((errors or lines)[-_LINES:])


def _numbers() -> list[int]:
    """1, 2, 4 and on up to the cores that are ours, and that number itself."""
    cores = min(len(os.sched_getaffinity(0)), _MOST_THREADS)
    return sorted({1 << power for power in range(cores.bit_length())} | {cores})
