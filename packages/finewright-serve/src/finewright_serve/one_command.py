"""The process of one command over HTTP: `{"name": ..., "given": ...}` on stdin, its reports on stdout.

Covered: files and folders that Python opens outside of the working folder, as a spec in it may name them, and
every connection, are refused. Not covered: what libraries in C++ or Rust open by themselves; who may write a
spec into the folder is trusted."""

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from finewright.errors import FinewrightError
from finewright.fetch.cache import cache_dir
from finewright.report.brief import brief_of
from finewright.table import run_unattended

_PLACES = {"open": 1, "os.listdir": 1, "os.scandir": 1, "sqlite3.connect": 1, "os.remove": 1}
_PLACES |= {"os.mkdir": 1, "os.rmdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2}
"""Event of sys.addaudithook -> how many of its first arguments are paths."""
_MACHINE = (
    "/usr",
    "/lib",
    "/lib64",
    "/dev",
    "/sys",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/etc/localtime",
)
"""What libraries read of the machine, which is nobody's secret."""


def main() -> None:
    """Do what stdin says, and answer."""
    given = json.load(sys.stdin)
    confine(Path.cwd())
    with contextlib.redirect_stdout(sys.stderr):
        answer = answered(given["name"], given["given"])
    sys.stdout.write(json.dumps(answer))


def answered(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The report, brief and whole, or the line of error."""
    try:
        report = run_unattended(name, given)
    except FinewrightError as error:
        return {"error": f"{error} ({error.hint})" if error.hint else str(error)}
    brief = brief_of(report, whole="the same with ?full=true")
    return {"brief": brief, "whole": report.model_dump(mode="json")}


def confine(folder: Path) -> None:
    """From here on this process opens nothing outside of the folder but what finewright itself is made of."""
    own: list[str | Path] = [*sys.path, sys.prefix, sys.base_prefix, tempfile.gettempdir()]
    own += [folder, cache_dir(), f"/proc/{os.getpid()}", *_MACHINE]
    roots = [os.path.realpath(each) for each in own if each]

    def heard(event: str, given: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo"):
            raise PermissionError("a command over HTTP reaches no network")
        for path in given[: _PLACES.get(event, 0)]:
            if isinstance(path, str | bytes | os.PathLike) and not _is_within(path, roots):
                raise PermissionError(13, "outside of the folder of commands", os.fspath(path))

    sys.addaudithook(heard)


def _is_within(path: Any, roots: list[str]) -> bool:
    real = os.path.realpath(os.fsdecode(path))
    return any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots)


if __name__ == "__main__":
    main()
