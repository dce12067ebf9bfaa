"""As many threads as the control group, the processor mask and other programs leave."""

import os
from pathlib import Path

import pytest

from finewright.lm import runtime


@pytest.mark.parametrize(
    ("written", "cores"),
    [("max 100000", None), ("150000 100000", 1), ("50000 100000", 1), ("800000 100000", 8)],
)
def test_a_quota_of_the_control_group_bounds_the_cores(
    written: str, cores: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(f"{written}\n")
    monkeypatch.setattr(runtime, "_QUOTAS", ((str(tmp_path / "none"),), (str(file),)))
    allowed = len(os.sched_getaffinity(0))
    assert runtime.physical_cores() <= min(allowed, cores or allowed)
    assert runtime.physical_cores() >= 1


def test_a_quota_of_version_1_is_read_from_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [tmp_path / name for name in ("quota", "period")]
    for name, number in zip(names, ("100000", "100000"), strict=True):
        name.write_text(f"{number}\n")
    monkeypatch.setattr(runtime, "_QUOTAS", (tuple(map(str, names)),))
    assert runtime.physical_cores() == 1
    names[0].write_text("-1\n")  # no bound
    monkeypatch.undo()
    assert runtime.physical_cores() >= 1


@pytest.mark.parametrize(("used", "left"), [(0.0, 4), (0.4, 4), (1.3, 3), (3.9, 1), (9.0, 1)])
def test_what_others_keep_busy_is_not_free(
    used: float, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "physical_cores", lambda: 4)
    monkeypatch.setattr(runtime, "cores_others_use", lambda: used)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    found = runtime.free_cores()
    assert found.number == left
    assert f"of 4 cores, as other programs kept {used:.1f} busy" in found.reason
