"""What a run ran on: Python, machine and package versions, read without importing any of them."""

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

_PACKAGES = ("finewright", "numpy", "pydantic", "safetensors", "torch", "transformers")
_CPU_INFO = Path("/proc/cpuinfo")


def environment() -> dict[str, object]:
    """A JSON-ready record of the machine; holds no host name, user name, path or variable."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def cpu_flags() -> frozenset[str]:
    """What the first processor can, in the kernel's words; nothing where it says nothing."""
    return frozenset(_cpu_line("flags").split())


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    return _cpu_line("model name") or platform.processor() or platform.machine()


def _cpu_line(wanted: str) -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == wanted:
                return value.strip()
    return ""
