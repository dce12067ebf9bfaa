"""Packages made by hand: as a builder gets them, and as a client of a registry leaves them in the cache."""

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from finewright.catalog.sets import PackagedSet
from finewright.data.sets.build import Content, Fetched, JsonRow
from finewright.schema.sets import Package

SHA256 = "sha256:" + "0" * 64
Files = Mapping[str, str | bytes]


def make_fetched(files: Files, name: str = "by-hand") -> Fetched:
    """A package of these files."""
    package = Package(name=name, version="1.0.0", integrity=SHA256, license="MIT")
    return Fetched(package, _in_bytes(files))


def npm_package(cache: Path, name: str, files: Files) -> Package:
    """A package of these files whose tarball is in the cache."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in _in_bytes(files).items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    digest = hashlib.sha512(buffer.getvalue()).digest()
    _put_into_cache(cache, f"{digest.hex()}.tgz", buffer.getvalue())
    integrity = f"sha512-{base64.b64encode(digest).decode()}"
    return Package(name=name, version="1.0.0", integrity=integrity, license="MIT")


def wheel_package(cache: Path, name: str, files: Files) -> Package:
    """A package of these files whose wheel is in the cache."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for path, content in _in_bytes(files).items():
            wheel.writestr(path, content)
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    _put_into_cache(cache, f"{sha256}.whl", buffer.getvalue())
    return Package(name=name, version="1.0.0", integrity=f"sha256:{sha256}", license="MIT")


def make_packaged_set(
    *packages: Package,
    members: str = "*",
    license: str = "MIT",
    copyleft: tuple[str, ...] = (),
    registry: Literal["npm", "pypi"] = "pypi",
) -> PackagedSet:
    """The facts of a set of these packages; of one that is never fetched if none is named."""
    never = Package(name="by-hand", version="1.0.0", integrity=SHA256, license="MIT")
    return PackagedSet(
        title="By hand",
        use="tests",
        registry=registry,
        packages=packages or (never,),
        members=(members,),
        rows={},
        license=license,
        copyleft=copyleft,
        license_note="",
        source="a test",
        observed_at=date(2026, 1, 2),
    )


def rows_of(content: Content, name: str) -> list[JsonRow]:
    """The rows of a file, by its name without the ending."""
    return list(content.rows[f"{name}.jsonl"])


def _in_bytes(files: Files) -> dict[str, bytes]:
    return {path: f if isinstance(f, bytes) else f.encode() for path, f in files.items()}


def _put_into_cache(cache: Path, name: str, content: bytes) -> None:
    (cache / "packages").mkdir(parents=True, exist_ok=True)
    (cache / "packages" / name).write_bytes(content)
