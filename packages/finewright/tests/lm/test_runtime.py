"""What the machine is doing beside us."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from finewright.lm import runtime

pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the system does not tell")


def test_a_busy_process_is_seen_and_our_own_work_is_not() -> None:
    spin = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    with subprocess.Popen([sys.executable, "-c", spin]) as other:
        time.sleep(0.3)
        seen = runtime.cores_others_use(0.5)
        other.kill()
    assert seen > 0.3


def test_where_the_system_does_not_tell_nobody_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_busy_seconds", lambda: None)
    assert runtime.cores_others_use(0.0) == 0.0


def test_processes_that_were_waited_for_are_our_own_and_a_short_look_sees_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  0 0 0 0 0 0 0\n")
    monkeypatch.setattr(runtime, "_MACHINE", stat)
    start, own = time.monotonic(), sum(os.times()[:4])
    used, short = runtime.watch_others(), runtime.watch_others(least_seconds=600)
    code = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    stat.write_text(f"cpu  {2 * os.sysconf('SC_CLK_TCK')} 0 0 0 0 0 0\n")
    others = 2 - (sum(os.times()[:4]) - own)
    assert used() * (time.monotonic() - start) == pytest.approx(others, abs=0.1)
    assert short() == 0


def spins(monkeypatch: pytest.MonkeyPatch, stat: Path, **given: str) -> str | None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is set back
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(runtime, "_MACHINE", stat)
    runtime.share_cores()
    return os.environ.get("GOMP_SPINCOUNT")


def test_workers_spin_on_a_quiet_machine_and_sleep_soon_on_a_busy_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cores = os.cpu_count() or 1
    stat = tmp_path / "stat"
    stat.write_text("cpu  1 2 3 4 5 6 7\nprocs_running 1\nprocs_blocked 0\n")
    assert spins(monkeypatch, stat) == "20000"
    stat.write_text(f"procs_running {1 + cores}\n")
    assert spins(monkeypatch, stat) == "1000"
    assert spins(monkeypatch, stat, GOMP_SPINCOUNT="7") == "7"
    assert spins(monkeypatch, stat, OMP_WAIT_POLICY="active") is None
    assert spins(monkeypatch, tmp_path / "none") == "20000"


def test_a_busy_process_is_seen_in_milliseconds() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            time.sleep(0.3)
            seen = [runtime.others_running() for _ in range(20)]
            assert (
                sum(count >= 1 for count in seen) >= 10
            )  # the system may give it no core for a moment
        finally:
            busy.kill()


@pytest.mark.torch
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no mark to set back")
def test_the_peak_is_that_of_what_came_since() -> None:
    large = torch.zeros(80 << 20, dtype=torch.uint8) + 1
    before = runtime.peak_gib()
    del large
    runtime.forget_peak(give_back=True)
    since = runtime.peak_gib()
    assert since < before - 0.05
    again = torch.zeros(80 << 20, dtype=torch.uint8) + 1
    assert runtime.peak_gib() > since + 0.05
    assert again[0] == 1


def test_the_processor_is_known_without_torch_as_torch_knows_it() -> None:
    known = torch.cpu.get_capabilities()
    multiplies = bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    assert runtime.has_gpu() == torch.cuda.is_available()
    assert runtime.has_gpu() or runtime.fast_bf16() == multiplies
