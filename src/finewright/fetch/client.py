"""Run a registry's own client, and let nothing into the cache that is not what was pinned."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from finewright.errors import FetchError
from finewright.fetch.cache import cache_dir
from finewright.store.atomic import os_errors


def offline() -> bool:
    """Has the user forbidden outgoing calls?"""
    return os.environ.get("FINEWRIGHT_OFFLINE", "") not in {"", "0"}


def fetch(
    what: str,
    target: Path,
    command: Callable[[Path], Sequence[str]],
    verify: Callable[[Path], None],
) -> Path:
    """The cached file, else the one file that the client leaves in a scratch folder, verified first.

    `command` gives the client's arguments for a folder; `verify` raises FetchError on a wrong file."""
    if target.is_file():
        return target
    if offline():
        raise FetchError(
            f"{what} is not in the cache, and FINEWRIGHT_OFFLINE forbids fetching it",
            hint=f"put the file at {target}, or unset FINEWRIGHT_OFFLINE",
        )
    with os_errors(target), tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".fetch-") as tmp:
        _run(what, command(Path(tmp)))
        files = [path for path in Path(tmp).iterdir() if path.is_file()]
        if len(files) != 1:
            raise FetchError(f"{what}: the client left {len(files)} files where one was expected")
        verify(files[0])
        target.parent.mkdir(parents=True, exist_ok=True)
        files[0].replace(target)
    return target


def _run(what: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise FetchError(f"{what}: {command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = next(
            (line for line in reversed(lines) if "rror" in line), lines[-1] if lines else ""
        )
        raise FetchError(
            f"{what} could not be fetched: {said or f'exit code {done.returncode}'}",
            hint="check the connection to the package registry",
        )
