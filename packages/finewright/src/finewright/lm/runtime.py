"""What this machine can run on: is torch here, which device, how many threads, which number format."""

import gc
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from finewright.errors import MissingExtra
from finewright.plugins import install_command
from finewright.store.environment import cpu_flags

if TYPE_CHECKING:
    import torch

NEEDED = ("torch", "transformers", "accelerate", "safetensors", "gguf", "numpy")


# CUDA, CUDA under Windows' Linux, CUDA on Jetson, ROCm.
_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/nvmap", "/dev/kfd")))
_MACHINE = Path("/proc/stat")
# Quota and period of a control group's CPU time, of version 2 in one file and of version 1 in two.
_QUOTAS = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)
_SPINS, _SPINS_BUSY = "20000", "1000"  # see share_cores
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MEMORY, _UNKNOWN_BYTES = Path("/proc/meminfo"), 4 * 2**30
_PEAK = "5"  # see Documentation/filesystems/proc.rst: set the peak resident size back


def require_runtime() -> None:
    """Raise MissingExtra, with the install command, unless the model runtime is installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"this needs the model runtime ({', '.join(missing)} not installed)",
            hint=install_command("[train]"),
        )


def share_cores() -> None:
    """How long waiting worker threads spin before they sleep; only works before torch is imported.

    OpenMP's workers wait at every barrier. One that sleeps must be woken; one that spins holds a core that
    another process may need. Measured with two threads on two cores of a Xeon, training SmolLM2, in
    tokens/s on a quiet machine and beside one busy process: 830 and 579 with 1000 spins, 890 and 556 with
    2000, 950 and 392 with 10000, 990 and 315 with 20000. So it is looked whether the machine is busy. What
    the user set stays."""
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        busy = is_busy(others_running())
        os.environ["GOMP_SPINCOUNT"] = _SPINS_BUSY if busy else _SPINS


def device() -> "torch.device":
    """The first CUDA device, else the CPU."""
    import torch

    return torch.device("cuda" if has_gpu() else "cpu")


def has_gpu() -> bool:
    """Whether torch can use one. It takes a second to import, so without a driver it is not asked."""
    if sys.platform == "linux" and not any(path.exists() for path in _DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads counted once where the system tells."""
    import torch

    allowed = len(os.sched_getaffinity(0))
    physical = torch.cpu.get_capabilities().get("num_physical_cores", allowed)
    return max(1, min(allowed, int(physical), int(_quota_cores() or allowed)))


def _quota_cores() -> float | None:
    """Cores whose time the control group may use, as containers are given them; None without a bound."""
    for files in _QUOTAS:
        try:
            quota, period = " ".join(Path(each).read_text("ascii") for each in files).split()[:2]
            return float(quota) / float(period) if float(quota) > 0 else None
        except (OSError, ValueError):
            continue
    return None


class FreeCores(NamedTuple):
    """How many cores this process can have for itself, and why so many."""

    number: int
    reason: str


def free_cores() -> FreeCores:
    """Of the cores that this process may run on, those that others leave free at this moment, at least one.

    On a busy machine a thread more than there are free cores makes all others wait for it."""
    most, used = physical_cores(), cores_others_use()
    left = max(1, min(most, round((os.cpu_count() or 1) - used)))
    return FreeCores(left, f"of {most} cores, as other programs kept {used:.1f} busy at the start")


def others_running(samples: int = 25) -> int:
    """How many threads of other processes want a core all through a tenth of a second; 0 where the system
    does not tell. A quiet machine answers at once."""
    least = _running() - 1  # one is this process
    for _ in range(samples - 1):
        if least <= 0:
            return 0
        time.sleep(0.004)
        least = min(least, _running() - 1)
    return max(0, least)


def _running() -> int:
    try:
        lines = _MACHINE.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("procs_running"))
    except (OSError, StopIteration, ValueError):
        return 0


def cores_others_use(seconds: float = 0.2) -> float:
    """How many of the machine's cores other processes keep busy, looked at for a moment; 0 where the
    system does not tell."""
    used = watch_others()
    time.sleep(seconds)
    return used()


def watch_others(*, least_seconds: float = 0.0) -> Callable[[], float]:
    """A function that gives how many cores other processes kept busy on average since this call; 0 where the
    system does not tell, or nothing was seen for so long: it counts hundredths of a second."""
    start, before = time.monotonic(), _busy_seconds()

    def measure_others() -> float:
        seconds, after = time.monotonic() - start, _busy_seconds()
        if before is None or after is None or seconds <= least_seconds:
            return 0.0
        return max(0.0, (after - before) / seconds)

    return measure_others


def is_busy(cores_others_used: float) -> bool:
    """Whether so much work of others is enough to slow this process. A quarter of the machine's cores."""
    return cores_others_used > (os.cpu_count() or 1) / 4


def _busy_seconds() -> float | None:
    """CPU seconds that all processes but this one and those it waited for have had since the machine
    started."""
    try:
        fields = _MACHINE.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
        user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    except (OSError, ValueError):
        return None
    own = os.times()
    ours = own.user + own.system + own.children_user + own.children_system
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - ours


def fast_bf16() -> bool:
    """Whether the device multiplies bfloat16 natively. Emulated bf16 is slower than fp32."""
    if has_gpu():
        import torch

        return bool(torch.cuda.is_bf16_supported())
    return not cpu_flags().isdisjoint(("avx512_bf16", "amx_bf16"))


def describe_device() -> str:
    """The device in words."""
    if has_gpu():
        import torch

        return str(torch.cuda.get_device_name())
    bf16 = "native bf16" if fast_bf16() else "no native bf16, so fp32"
    return f"CPU, {physical_cores()} cores, {bf16}"


def dtype_of(name: Literal["bf16", "fp32"]) -> "torch.dtype":
    """The torch dtype of a spec's word."""
    import torch

    return torch.bfloat16 if name == "bf16" else torch.float32


def free_bytes() -> int:
    """Memory that the device has left; of the CPU all that could be given, where the system tells."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return free_memory_bytes()


def free_memory_bytes() -> int:
    """Memory of the machine that could be given, what files are kept in included, where the system tells."""
    return bytes_in(_MEMORY, "MemAvailable") if _MEMORY.exists() else _UNKNOWN_BYTES


def peak_gib() -> float:
    """Peak memory since `forget_peak`: the device's allocator on CUDA, the process's resident set on the
    CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return peak_resident_bytes() / 2**30


def forget_peak(*, give_back: bool = False) -> None:
    """Let the peak be that of what comes from here on, where the system can; else it stays the process's.

    With `give_back`, what an earlier model left free in the process goes back to the system first."""
    import torch

    from finewright.lm.fast.compiled import give_back_memory

    if give_back:
        gc.collect()
        give_back_memory()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        _CLEAR.write_text(_PEAK, encoding="ascii")


def peak_resident_bytes() -> int:
    """The most that the process had in memory at once, by the kernel's own mark where it has one."""
    import resource

    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return bytes_in(_STATUS, "VmHWM")


def bytes_in(file: Path, name: str) -> int:
    """A line `name: 123 kB` of a file of /proc, in bytes."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
