"""`finewright bundle`: what is wanted for the target, and what the report shows."""

import platform
import re
import sys
from pathlib import Path
from typing import get_args

from finewright.errors import DataError, SpecError
from finewright.feature import Session
from finewright.report.blocks import Page, Table, Text, section
from finewright.report.cells import count_of
from finewright.schema.common import Model
from finewright.schema.load import load_spec
from finewright_bridge.launch.bundle import MACHINES, BundleTarget, Platform, write_bundle
from finewright_bridge.launch.install import PACKAGES
from finewright_bridge.launch.options import BundleOptions
from finewright_bridge.launch.upload import collect

_EDITABLE = re.compile(r"-e packages/([a-z0-9-]+)(?:\[([a-z0-9,-]+)\])?")
_TORCH = re.compile(r'"(torch[<>=][^"]*)"')


class OfflineBundleReport(Model):
    """A folder that installs without a network."""

    folder: str
    platform: str
    python: str
    wheels: int
    bytes: int
    torch: str
    models: tuple[str, ...]
    specs: tuple[str, ...]
    archive: str = ""


def bundle(options: BundleOptions, session: Session) -> OfflineBundleReport:
    """Write the bundle. Raises SpecError, DataError or FetchError, and leaves no folder then."""
    wanted = want(options)
    if options.out.exists():
        raise DataError(f"{options.out}: is there already", hint="name a new folder by --out")
    names = [path.stem for path in options.specs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SpecError(f"two specs are called {twice}", hint="rename one of the files")
    specs = [(path, collect(load_spec(path), ())) for path in options.specs]
    session.tell(
        f"fetching wheels for Python {wanted.python} on {wanted.platform}; this takes minutes\n"
    )
    done = write_bundle(wanted, specs, options.out, archive=options.archive)
    torch = next((wheel.version for wheel in done.wheels if wheel.name == "torch"), "")
    return OfflineBundleReport(
        folder=str(options.out),
        platform=wanted.platform,
        python=wanted.python,
        wheels=len(done.wheels),
        bytes=done.num_bytes,
        torch=torch,
        models=done.models,
        specs=done.specs,
        archive=f"{options.out}.tar" if options.archive else "",
    )


def want(options: BundleOptions) -> BundleTarget:
    """The target, and what `make setup` installs, by the files of the clone. Raises DataError without one."""
    root = PACKAGES.parent
    listed = root / "locked" / "setup.in"
    if not listed.is_file():
        raise DataError(
            "a bundle is made of a clone: the versions and hashes are in its locked/setup.txt",
            hint="git clone the repository of finewright, and call it there",
        )
    found = _EDITABLE.findall(listed.read_text(encoding="utf-8"))
    core = (root / "packages" / "finewright" / "pyproject.toml").read_text(encoding="utf-8")
    torch = _TORCH.search(core)
    return BundleTarget(
        platform=options.platform or _own_platform(),
        python=options.python or f"{sys.version_info[0]}.{sys.version_info[1]}",
        locked=root / "locked" / "setup.txt",
        torch=torch[1] if torch else "torch",
        packages={name: frozenset(filter(None, extras.split(","))) for name, extras in found},
    )


def _own_platform() -> Platform:
    machine = platform.machine()
    for name in get_args(Platform):
        if MACHINES[name] == machine:
            kind: Platform = name
            return kind
    raise SpecError(
        f"no wheels are known for machines of the kind {machine}", hint="name a --platform"
    )


def bundle_page(report: OfflineBundleReport) -> Page:
    """How it is installed first, then what it has."""
    size = f"{report.bytes / 2**20:,.0f} MiB"
    rows = [
        ("wheels", f"{report.wheels}, each with its sha256 in requirements.txt"),
        ("torch", report.torch),
        ("models", ", ".join(report.models)),
        ("specs", ", ".join(report.specs)),
        ("bill of materials", "sbom.cdx.json (CycloneDX 1.6)"),
    ]
    carried = report.archive or report.folder
    return Page(
        subject="a bundle",
        title=report.folder,
        answer=f"{count_of(report.wheels, 'wheel')}, {size}: Python {report.python} on {report.platform}",
        about=(f"bring {carried} to the machine",),
        sections=[
            *section(
                "Install it there",
                Text(f"bash {Path(report.folder).name}/install.sh FOLDER", "code"),
            ),
            *section("What is in it", Table(("what", ""), [row for row in rows if row[1]])),
        ],
    )
