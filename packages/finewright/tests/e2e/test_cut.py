"""A run that is cut anywhere and taken up again ends bitwise as one that was never cut."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from finewright.errors import Interrupted
from finewright.workbench.up import up_path

from .conftest import Finewright, row, write_jsonl, write_spec
from .processes import Result, events, start, wait_until

pytestmark = pytest.mark.torch

STEPS = 24
SAVE_STEPS = 3
Reference = Callable[[float], bytes]


def arrange(folder: Path, *, dropout: float = 0.0, num_test: int = 4) -> None:
    write_jsonl(folder / "rows.jsonl", [row(i) for i in range(19)])
    write_jsonl(folder / "test.jsonl", [row(i) for i in range(100, 100 + num_test)])
    spec = write_spec(
        folder,
        train=f"  save_steps: {SAVE_STEPS}\n  gradient_accumulation: 2",
        rest="evaluate: {data: [{path: test.jsonl}], max_new_tokens: 16, batch_size: 2}",
    )
    text = spec.read_text().replace("max_steps: 6", f"max_steps: {STEPS}")
    spec.write_text(text.replace("dropout: 0.0", f"dropout: {dropout}"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, base_model: Path) -> Reference:
    """dropout -> the adapter of a run that nobody cut."""
    found: dict[float, bytes] = {}

    def adapter(dropout: float) -> bytes:
        if dropout not in found:
            folder = tmp_path_factory.mktemp("uncut")
            copytree(base_model, folder / "base")
            arrange(folder, dropout=dropout)
            assert start(("train", "spec.yaml"), folder=folder).result().code == 0
            found[dropout] = adapter_of(folder / "runs")
        return found[dropout]

    return adapter


def adapter_of(runs: Path) -> bytes:
    (path,) = runs.glob("2*/train/base/adapter/adapter_model.safetensors")
    return path.read_bytes()


def cut(project: Path, number: signal.Signals, *, step: int) -> Result:
    """Start a run and send it a signal as soon as it has logged `step` steps."""
    running = start(("up", "spec.yaml"), folder=project)
    wait_until(lambda: len(events(project / "runs", "metric")) >= step)
    running.send(number)
    return running.result()


def cut_while_measuring(project: Path, number: signal.Signals) -> Result:
    running = start(("up", "spec.yaml"), folder=project)
    wait_until(lambda: bool(events(project / "runs", "progress", stage="evaluate", done=2)))
    running.send(number)
    return running.result()


@pytest.mark.parametrize(("steps", "dropout"), [((1,), 0.0), ((8,), 0.25), ((5, 15), 0.0)])
def test_a_killed_run_goes_on_and_ends_bitwise_as_an_uncut_one(
    steps: tuple[int, ...],
    dropout: float,
    project: Path,
    runs: Path,
    finewright: Finewright,
    reference: Reference,
) -> None:
    arrange(project, dropout=dropout)
    assert {cut(project, signal.SIGKILL, step=step).code for step in steps} == {-signal.SIGKILL}
    logged = events(runs, "metric")
    last = logged[-1]["step"]
    assert last < STEPS
    resumed = finewright("up", "spec.yaml", "--json")
    assert resumed.code == 0
    assert resumed.json["ran"] == ["train", "evaluate"]
    assert resumed.json["train"]["candidates"][0]["steps"] == STEPS
    assert adapter_of(runs) == reference(dropout)
    found = [event["step"] for event in events(runs, "resumed")]
    saved = last - last % SAVE_STEPS  # the kill may fall between its log line and it
    begun = found[-1] if found else 0
    assert begun in {saved, saved - SAVE_STEPS * (saved == last)}
    assert len(events(runs, "metric")) == len(logged) + STEPS - begun
    (path,) = runs.glob("2*/train/base/metrics.jsonl")
    kept = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert kept == list(range(1, STEPS + 1))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_keeps_a_checkpoint_and_goes_on_bitwise(
    number: signal.Signals,
    project: Path,
    runs: Path,
    finewright: Finewright,
    reference: Reference,
) -> None:
    arrange(project)
    stopped = cut(project, number, step=4)
    num_steps = len(events(runs, "metric"))
    (run,) = runs.iterdir()
    assert stopped.code == 128 + number
    assert stopped.err.splitlines()[-2:] == [
        f"error: stopped after step {num_steps} of {STEPS}; a checkpoint is kept",
        f" hint: finewright up runs/{run.name} goes on from there",
    ]
    assert "Traceback" not in stopped.err
    assert stopped.out == ""
    assert (run / f"train/base/checkpoints/step-{num_steps:06d}/state.json").is_file()
    shown = finewright("runs", "show", str(run), "--json")
    assert shown.json["summary"]["state"] == "interrupted"
    resumed = finewright("up", str(run))
    assert resumed.code == 0
    assert f"going on from the checkpoint of step {num_steps}" in resumed.err
    assert adapter_of(runs) == reference(0.0)


@pytest.mark.parametrize(
    ("stage", "made"),
    [
        ("data", {"data"}),
        ("train", {"data", "train"}),
        ("evaluate", {"data", "train", "evaluate"}),
    ],
)
def test_a_stop_between_two_stages_is_not_lost(
    stage: str, made: set[str], project: Path, runs: Path
) -> None:
    """The signal comes when a stage has asked its last question, and the next one none."""
    arrange(project)

    def send(kind: str, fields: Mapping[str, Any]) -> None:
        if (kind, fields.get("stage")) == ("stage_ended", stage):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as stopped:
        up_path(project / "spec.yaml", (), runs, on_event=send, new=False)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    ended = {event["stage"] for event in events(runs, "stage_ended")}
    assert ended == made
    report = up_path(project / "spec.yaml", (), runs, on_event=lambda kind, fields: None, new=False)
    assert set(report.ran) == {"data", "train", "evaluate"} - made


@pytest.mark.parametrize("file", ["optimizer.safetensors", "state.json"])
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    file: str, project: Path, runs: Path, finewright: Finewright, reference: Reference
) -> None:
    arrange(project)
    cut(project, signal.SIGKILL, step=8)
    before, newest = sorted(runs.glob("2*/train/base/checkpoints/step-*"))
    content = bytearray((newest / file).read_bytes())
    content[len(content) // 2] ^= 1
    (newest / file).write_bytes(content)
    resumed = finewright("up", "spec.yaml")
    step = int(before.name.removeprefix("step-"))
    assert resumed.code == 0
    assert f"warning: checkpoint not used: {file} is damaged" in resumed.err
    assert f"going on from the checkpoint of step {step}" in resumed.err
    assert adapter_of(runs) == reference(0.0)
    shown = finewright("runs", "show", str(next(runs.iterdir())), "--json")
    problems = shown.json["train"]["candidates"][0]["problems"]
    (problem,) = (found for found in problems if found["level"] == "warning")
    assert problem["file"].endswith(newest.name)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_cut_while_it_measures_only_measures_again(
    number: signal.Signals,
    project: Path,
    runs: Path,
    finewright: Finewright,
    reference: Reference,
) -> None:
    arrange(project, num_test=80)
    code = cut_while_measuring(project, number).code
    before = adapter_of(runs)
    resumed = finewright("up", "spec.yaml", "--json")
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 128 + signal.SIGTERM)
    assert resumed.json["ran"] == ["evaluate"]
    assert len(events(runs, "metric")) == STEPS
    assert adapter_of(runs) == before == reference(0.0)
    assert [s["n"] for s in resumed.json["evaluate"]["scores"]] == [80] * 4


def test_two_processes_never_write_one_run(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    arrange(project, num_test=80)
    first = start(("up", "spec.yaml"), folder=project)
    wait_until(lambda: bool(events(runs, "metric")))
    second = finewright("up", "spec.yaml")
    first.send(signal.SIGKILL)
    first.result()
    (run,) = runs.iterdir()
    assert second.code == 2
    assert second.err.splitlines()[-2:] == [
        f"error: runs/{run.name}: run is in use by process {first.process.pid}",
        " hint: wait for it to end, or stop it, then try again",
    ]
