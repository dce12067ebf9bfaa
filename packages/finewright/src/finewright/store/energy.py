"""Energy that the processor counted: RAPL of its packages, where the kernel lets this user read it.

It is of the whole processor, so of other programs too; not of GPUs, disks and fans. Reading it takes root on
kernels since 5.10 (CVE-2020-8694), and virtual machines have none."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_COUNTERS = Path("/sys/class/powercap")


class Counter(NamedTuple):
    """Microjoules of a package, and where the counter begins again at 0."""

    microjoules: int
    wraps_at: int


def read_energy(folder: Path = _COUNTERS) -> Mapping[str, Counter]:
    """Package -> its counter; empty where none can be read."""
    found = {}
    for domain in sorted(folder.glob("intel-rapl:[0-9]")):
        try:
            now = int((domain / "energy_uj").read_text())
            found[domain.name] = Counter(now, int((domain / "max_energy_range_uj").read_text()))
        except (OSError, ValueError):
            return {}
    return found


def joules_between(before: Mapping[str, Counter], after: Mapping[str, Counter]) -> float | None:
    """Joules of all packages, if they began anew once at most; None where nothing was read twice."""
    if not before or before.keys() != after.keys():
        return None
    used = (
        (after[name].microjoules - start.microjoules) % (start.wraps_at + 1)
        for name, start in before.items()
    )
    return sum(used) / 1e6
