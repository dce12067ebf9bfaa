"""How finewright gets to the other machine: wheels of this clone, an index, or a repository."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from finewright import __version__, plugins
from finewright.errors import DataError, SpecError
from finewright.schema.load import LoadedSpec
from finewright.schema.methods import OnlineSettings

WHEELS = "wheels"
PACKAGES = Path(__file__).parents[4]
"""The folder of the packages, in a clone."""
_BUILD_S = 120  # a wheel takes about a second
_NOT_PINNED = re.compile(r"(torch|triton|nvidia-|cuda-)")
"""Other files for each machine: the index there says which, as the Makefile has it."""


class InstallPlan(NamedTuple):
    """The text of requirements.txt, that of constraints.txt (empty: none), and the wheels that go along."""

    requirements: str
    constraints: str
    wheels: tuple[Path, ...]
    what: str


def packages_of(loaded: LoadedSpec) -> dict[str, set[str]]:
    """Package -> the extras of it that the run needs, the core's own under `finewright`."""
    spec, found = loaded.spec, {"finewright": {"train"}}
    if spec.data.engine == "ray" or spec.launch.cluster:
        found["finewright"].add("ray")
    if getattr(spec.train, "privacy", None) is not None:
        found["finewright"].add("privacy")
    for by in sorted(set(_brought(loaded))):
        name, _, extra = by.removesuffix("]").partition("[")
        extras = found.setdefault(plugins.package_of(name), set())
        extras.update([extra] if extra else [])
    return found


def _brought(loaded: LoadedSpec) -> Iterator[str]:
    """What brings the sections and plugins that the spec names: `rag`, `bridge[mlflow]`."""
    spec = loaded.spec
    known = plugins.packages_by_name()
    sections = known.get("feature", {})
    yield from (by for key, by in sections.items() if getattr(spec, key, None) is not None)
    names: list[tuple[plugins.Kind, str]] = [("tracker", each.name) for each in spec.trackers]
    metrics = [each for each in spec.evaluate.metrics if isinstance(each, str)]
    names += [("scorer", each.partition(":")[0]) for each in metrics]
    names.append(("method", spec.train.method))
    if isinstance(spec.train, OnlineSettings):
        names += [("reward", each.plugin) for each in spec.train.rewards]
    for kind, name in names:
        if by := known.get(kind, {}).get(name):
            yield by
        for point in plugins.find_installed(kind):
            package = point.module.partition(".")[0]
            if point.name == name and not package.startswith("finewright"):
                raise SpecError(
                    f"the {kind} {name!r} comes from {package}, which is no package of finewright and would"
                    " be missing there",
                    hint="take a reward or metric of a file: python:FILE:FUNCTION",
                )


def plan_install(how: str, packages: dict[str, set[str]], folder: Path) -> InstallPlan:
    """What is installed there. `folder` takes wheels that are built. Raises SpecError or DataError."""
    if how == "pypi" or (not how and _is_from_index()):
        lines = [
            f"{_with_extras(name, extras)}=={__version__}" for name, extras in packages.items()
        ]
        return InstallPlan(_lines(lines), "", (), f"finewright {__version__} of the package index")
    if how.startswith("git+"):
        if "@" not in how.partition("://")[2].partition("/")[2]:
            raise SpecError(
                f"--install {how}: names no revision", hint="git+https://HOST/REPO@COMMIT"
            )
        lines = [
            f"{_with_extras(name, extras)} @ {how}#subdirectory=packages/{name}"
            for name, extras in packages.items()
        ]
        return InstallPlan(_lines(lines), _constraints(), (), how)
    if how:
        wheels = [_wheel_in(Path(how), name) for name in packages]
        what = f"wheels of {how}"
    elif (PACKAGES / "finewright" / "pyproject.toml").is_file():
        wheels = [build_wheel(name, folder) for name in packages]
        what = f"wheels of this clone, {len(wheels)}"
    else:
        raise SpecError(
            "finewright was installed here neither from a clone nor from an index",
            hint="--install pypi, a folder of wheels, or git+URL@REVISION",
        )
    lines = [
        _with_extras(f"./{WHEELS}/{wheel.name}", extras)
        for wheel, extras in zip(wheels, packages.values(), strict=True)
    ]
    return InstallPlan(_lines(lines), _constraints(), tuple(wheels), what)


def _is_from_index() -> bool:
    try:
        return (
            distribution("finewright").read_text("direct_url.json") is None
            and not (PACKAGES / "finewright" / "pyproject.toml").is_file()
        )
    except (PackageNotFoundError, json.JSONDecodeError):
        return False


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _with_extras(name: str, extras: Iterable[str]) -> str:
    listed = ",".join(sorted(extras))
    return f"{name}[{listed}]" if listed else name


def _constraints() -> str:
    """The versions of the clone, but for torch and what it brings."""
    path = PACKAGES.parent / "constraints.txt"
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    return _lines(line for line in lines if line and not _NOT_PINNED.match(line) and line[0] != "#")


def build_wheel(name: str, folder: Path) -> Path:
    """The wheel of a package of the clone, built by hatchling in a process of its own. Raises DataError."""
    before = set(folder.glob("*.whl"))
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        str(folder),
    ]
    done = subprocess.run(
        command, cwd=PACKAGES / name, capture_output=True, text=True, timeout=_BUILD_S, check=False
    )
    built = set(folder.glob("*.whl")) - before
    if done.returncode or len(built) != 1:
        last = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise DataError(
            f"the wheel of {name} could not be built: {last}",
            hint="pip install hatchling, or name wheels by --install",
        )
    return built.pop()


def _wheel_in(folder: Path, name: str) -> Path:
    found = sorted(folder.glob(f"{name.replace('-', '_')}-*.whl"))
    if len(found) != 1:
        many = "none" if not found else f"{len(found)}"
        raise DataError(f"--install {folder}: {many} of {name}'s wheels; one is needed")
    return found[0]
