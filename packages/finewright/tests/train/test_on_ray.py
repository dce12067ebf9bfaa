"""Ranks on a real Ray cluster of this machine: one is killed, and the adapter is that of an unkilled run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_launch import Run

from finewright.errors import MissingExtra, StageError
from finewright.schema.load import load_spec
from finewright.workbench.up import up

pytestmark = pytest.mark.torch


def _adapter(run: Path) -> bytes:
    return (run / "train" / "base" / "adapter" / "adapter_model.safetensors").read_bytes()


def _go_on(run: Run, cluster: str) -> None:
    loaded = load_spec(run.folder / "spec.yaml", [f"launch.cluster={cluster}"])
    up(loaded, run.folder / "runs", on_event=lambda *_: None, through="train")


def test_a_killed_rank_goes_on_and_the_adapter_is_that_of_an_unkilled_run(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run = Run(tmp_path)
    # On a busy machine its processes start slowly.
    environment = {**os.environ, "RAY_raylet_start_wait_time_s": "240"}
    script = Path(__file__).with_name("killed_on_ray.py")
    subprocess.run([sys.executable, script, tmp_path], check=True, env=environment)
    told = json.loads((tmp_path / "told.json").read_text())

    unkilled = run.go_on(2, "here")

    on_ray = Path(told["run"])
    assert _adapter(on_ray) == _adapter(unkilled)
    (lost,), (step,) = told["lost"], told["resumed"]
    assert lost.startswith("rank 1 of 2 was lost: ")
    assert lost.endswith(f"the checkpoint of step {step} is kept")
    # Where the signal arrives late, the rank has written a further checkpoint.
    assert step in (2, 4)
    assert list(on_ray.glob(".ranks*")) == []
    assert told["sigterm"] == "SIG_DFL"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_is_not_there_is_said_at_once(address: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(StageError) as raised:
        _go_on(Run(tmp_path), address)
    assert str(raised.value).startswith(
        f"the cluster of launch.cluster={address} cannot be reached: "
    )
    assert raised.value.hint == "correct launch.cluster, or unset it to use this machine"


def test_without_ray_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"^launch.cluster needs Ray$") as raised:
        _go_on(Run(tmp_path), "ray")
    assert raised.value.hint == 'pip install "finewright[ray]"'
