"""Energy: measured where every stage said its joules, else watts x time, else nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from finewright.run_reader import RunFolder
from finewright_trust.comply.energy import measure_energy


def run(folder: Path, device: str, joules: float | None) -> RunFolder:
    """A run whose two stages took 100 s each on a machine of 2 cores and 10 GiB."""
    said = {} if joules is None else {"energy_joules": joules}
    events: list[dict[str, Any]] = []
    for hour, stage in ((9, "data"), (10, "train")):
        begun, ended = f"2026-12-01T{hour:02}:00:00+00:00", f"2026-12-01T{hour:02}:01:40+00:00"
        events.append({"time": begun, "type": "stage_started", "stage": stage})
        events.append({"time": ended, "type": "stage_ended", "stage": stage, **said})
    if device:
        events.append({"time": ended, "type": "device", "stage": "train", "device": device})
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    (folder / "env.json").write_text(json.dumps({"cores": 2, "memory_gib": 10}))
    return RunFolder(folder, "key", "0.1.0", {}, (), {})


def test_joules_of_every_stage_are_a_measurement(tmp_path: Path) -> None:
    found = measure_energy(run(tmp_path, "CPU, 2 cores", 1.8e6))
    assert (found.kwh, found.how) == (pytest.approx(1.0), "measured")


def test_a_processor_is_estimated_by_cores_memory_and_time(tmp_path: Path) -> None:
    found = measure_energy(run(tmp_path, "CPU, 2 cores", None))
    assert found.how == "estimated"
    assert found.kwh == pytest.approx((2 * 3.5 + 10 * 0.392) * 200 / 3.6e6)


def test_a_gpu_counts_by_its_data_sheet_whatever_the_processor_said(tmp_path: Path) -> None:
    found = measure_energy(run(tmp_path, "Tesla T4", 1.8e6))
    assert found.how == "estimated"
    assert found.kwh == pytest.approx((2 * 3.5 + 10 * 0.392 + 70) * 200 / 3.6e6)


@pytest.mark.parametrize("device", ["", "Some Accelerator 9000"])
def test_an_unknown_device_is_no_figure(tmp_path: Path, device: str) -> None:
    found = measure_energy(run(tmp_path, device, None))
    assert (found.kwh, found.how) == (None, "unknown")
