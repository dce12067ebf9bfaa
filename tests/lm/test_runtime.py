"""What the machine is doing beside us."""

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
