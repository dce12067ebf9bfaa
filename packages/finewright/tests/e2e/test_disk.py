"""A disk that fills up in the middle of a run ends it with one line, and space lets it go on."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import Finewright, write_spec

pytestmark = pytest.mark.torch

Resize = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory; skipped where none can be mounted."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this system does not let root mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def resize(disk: Path) -> Resize:
    def run(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)

    return run


# Where it fails: before the data, at the first log lines, at a checkpoint, at a later one.
@pytest.mark.parametrize("size", ["28k", "44k", "100k", "180k"])
def test_a_disk_that_fills_up_costs_nothing_but_the_step(
    size: str, project: Path, disk: Path, resize: Resize, finewright: Finewright
) -> None:
    write_spec(project, train="  save_steps: 2")
    assert finewright("train", "spec.yaml", "--runs", "roomy").code == 0
    resize(size)
    full = finewright("train", "spec.yaml", "--runs", "disk/runs")
    resize("4m")
    error, hint = full.err.splitlines()[-2:]
    assert (full.code, full.out) == (2, "")
    assert error.startswith("error: disk/runs/")
    assert error.endswith(": the disk is full")
    assert hint == " hint: free some space, then repeat the command; finished stages are kept"
    assert "Traceback" not in full.err
    assert finewright("train", "spec.yaml", "--runs", "disk/runs").code == 0
    (there,) = disk.glob("runs/2*/train/base/adapter/adapter_model.safetensors")
    (here,) = project.glob("roomy/2*/train/base/adapter/adapter_model.safetensors")
    assert there.read_bytes() == here.read_bytes()
    assert finewright("verify", str(next((disk / "runs").iterdir()))).code == 0
