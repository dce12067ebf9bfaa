"""A run in several processes: killed, stopped and gone on with, it ends as the run of one process does."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import tiny
from by_hand import context_of, run_in, spec_of
from finewright.errors import DataError, ModelError, StageError
from finewright.estimate.data_parallel import bytes_gathered, bytes_scattered, bytes_sent
from finewright.lm import runtime
from finewright.schema.load import load_spec
from finewright.schema.train import TrainReport
from finewright.store.rundir import open_run
from finewright.train.launch import (
    EVENTS,
    FAILURE,
    STOP,
    Agent,
    RankFailure,
    listen,
    reason,
    refuse_processes,
)
from finewright.train.ranks import ALONE, Ranks, find_disagreement
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

SPEC = """\
name: ranks
base_models: [./base]
data: {sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}], eval_fraction: 0.25}
train:
  {learning_rate: 1.0e-2, batch_size: 3, max_steps: 6, save_steps: 2, dtype: fp32, keep: best+last,
    threads: 1, prove_elsewhere: false}
evaluate: {metrics: [token_f1], max_new_tokens: 8}
"""
OnEvent = Callable[[str, Mapping[str, Any]], None]


class Run:
    """A spec that is run, again and again, each time in as many processes as one likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tiny.tiny_model("llama").save_pretrained(folder / "base")
        tiny.tiny_tokenizer().save_pretrained(folder / "base")
        rows = ({"prompt": f"the {i}", "completion": "red blue " * (1 + i % 3)} for i in range(12))
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "spec.yaml").write_text(SPEC)

    def go_on(
        self, processes: int, runs: str, at_step: int = 0, act: Callable[[], object] = int
    ) -> Path:
        """Train to the end; `act` right after a step."""

        def watch(kind: str, fields: Mapping[str, Any]) -> None:
            if kind == "metric" and fields["step"] == at_step:
                act()

        loaded = load_spec(self.folder / "spec.yaml", [f"launch.processes={processes}"])
        report = up(loaded, self.folder / runs, on_event=watch, through="train")
        return Path(report.summary.run)


def _ranks() -> dict[int, int]:
    """Number -> process."""
    found = {}
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            numbers = [each for each in environment if each.startswith(b"RANK=")]
            if numbers:
                found[int(numbers[0][5:])] = int(child)
    return found


def _losses(run: Path) -> list[float]:
    lines = (run / "train" / "base" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def _adapter(run: Path) -> dict[str, torch.Tensor]:
    file = run / "train" / "base" / "adapter" / "adapter_model.safetensors"
    found: dict[str, torch.Tensor] = load_file(file)
    return found


def test_a_run_that_was_killed_ends_as_one_process_ends_it(tmp_path: Path) -> None:
    """Figures of four processes, and a cut that goes on in fewer: methods/test_in_ranks.py."""
    run = Run(tmp_path)
    with pytest.raises(
        StageError, match=r"^rank 1 of 2 was killed by signal 9.* is kept$"
    ) as killed:
        run.go_on(2, "runs", 3, lambda: os.kill(_ranks()[1], signal.SIGKILL))
    assert "goes on from there" in killed.value.hint
    assert _ranks() == {}

    alone, then_one = run.go_on(1, "alone"), run.go_on(1, "runs")

    assert _losses(then_one) == pytest.approx(_losses(alone), rel=1e-4)
    for name, tensor in _adapter(alone).items():
        assert torch.allclose(_adapter(then_one)[name], tensor, atol=1e-4), name
    assert open_run(then_one).read_report("train", TrainReport).candidates[0].steps == 6


def test_a_stop_is_handed_on_to_the_ranks_which_end_by_themselves(tmp_path: Path) -> None:
    def wait() -> None:
        while not (tmp_path / STOP).is_file():
            time.sleep(0.01)
        (tmp_path / EVENTS).write_text('["metric", {"step": 1}]\n["metr')

    ranks = threading.Thread(target=wait, daemon=True)
    ranks.start()
    context = context_of(tmp_path, run_in(tmp_path), spec_of(), should_stop=lambda: signal.SIGTERM)
    assert list(listen(context, tmp_path, ranks)) == [("metric", {"step": 1})]
    assert (tmp_path / STOP).read_text() == str(int(signal.SIGTERM))


def test_ranks_share_all_rows_by_their_tokens() -> None:
    rows = tiny.random_rows([9, 4, 14, 7, 3, 11, 5])
    shares = [Ranks(number, 3).share(rows) for number in range(3)]
    # 14, 11 and 9 first; 7 to the 9, 5 to the 11, 4 to the 14; of two with 16, 3 to the first
    assert [[row.num_tokens for row in share] for share in shares] == [[4, 14], [3, 11, 5], [9, 7]]
    assert [Ranks(number, 9).share(rows) for number in (7, 8)] == [[], []]
    assert ALONE.share(rows) == rows


def test_the_rank_that_failed_is_named_and_not_those_that_missed_it(tmp_path: Path) -> None:
    context = context_of(tmp_path, run_in(tmp_path), spec_of())
    lost = RankFailure(
        rank=0, kind="RuntimeError", message="Connection closed", hint="", exit_code=1, at=1.0
    )
    full = RankFailure(
        rank=1, kind="StageError", message="no memory", hint="smaller", exit_code=4, at=2.0
    )
    for failure in (lost, full):
        (tmp_path / f"{FAILURE}-{failure.rank}.json").write_text(failure.model_dump_json())
    error = reason(context, tmp_path, Agent(tmp_path, 2))
    assert isinstance(error, StageError)
    assert str(error) == "rank 1 of 2: no memory; no checkpoint was reached"
    assert error.hint == "smaller"


def test_a_ring_sends_each_gradient_less_than_twice() -> None:
    assert bytes_sent(1000, 1) == 0
    assert bytes_sent(1000, 2) == 4000
    assert bytes_sent(1000, 4) == 6000


def test_ranks_that_differ_are_told_apart_by_what_differs() -> None:
    same = {"torch": "2.13", "rows": "ab"}
    assert find_disagreement([same, same]) == ""
    assert find_disagreement([same, same, {**same, "torch": "2.12"}]) == (
        "rank 0 has torch 2.13, and rank 2 has 2.12"
    )


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ModelError, match="2 processes need a GPU each, and there are 1"):
        refuse_processes(2)


@pytest.mark.parametrize(
    ("setting", "alone"),
    [
        ("train.privacy={epsilon: 8}", "train.privacy"),
        ("train={method: linear}", "train.method linear"),
    ],
)
def test_what_works_in_one_process_is_refused(setting: str, alone: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    loaded = load_spec(run.folder / "spec.yaml", ["launch.processes=2", setting])
    with pytest.raises(DataError, match=f"{alone} works in one process"):
        up(loaded, tmp_path / "runs", on_event=lambda *_: None)


def test_a_base_in_shards_trains_as_one_process_does(tmp_path: Path) -> None:
    run = Run(tmp_path)
    alone = run.go_on(1, "alone")
    (tmp_path / "spec.yaml").write_text(f"{SPEC}launch: {{fsdp: true}}\n")
    sharded = run.go_on(2, "sharded")
    assert _losses(sharded) == pytest.approx(_losses(alone), rel=1e-4)
    for name, tensor in _adapter(alone).items():
        assert torch.allclose(_adapter(sharded)[name], tensor, atol=1e-4), name
    made = open_run(sharded).read_report("train", TrainReport).candidates[0]
    assert made.steps == 6
    assert any("2 processes share each step's rows" in p.message for p in made.problems)
    (said,) = [p.message for p in made.problems if p.key == "launch.fsdp"]
    assert said.startswith("each of 2 processes holds 0.1 MiB of the base model's 0.1")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    assert PeftModel.from_pretrained(base, sharded / "train" / "base" / "adapter") is not None


def test_all_weights_in_shards_train_as_in_one_process(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (tmp_path / "spec.yaml").write_text(
        SPEC.replace("  {learning", "  {adapter: {type: none}, learning")
    )
    alone = run.go_on(1, "alone")
    with (tmp_path / "spec.yaml").open("a") as spec:
        spec.write("launch: {fsdp: true}\n")
    sharded = run.go_on(2, "sharded")
    assert _losses(sharded) == pytest.approx(_losses(alone), rel=1e-4)
    found, true = (
        AutoModelForCausalLM.from_pretrained(made / "train" / "base" / "adapter").state_dict()
        for made in (sharded, alone)
    )
    assert found.keys() == true.keys()
    for name, tensor in true.items():
        assert torch.allclose(found[name], tensor, atol=1e-4), name
    report = open_run(sharded).read_report("train", TrainReport).candidates[0]
    (line,) = [p.message for p in report.problems if p.key == "launch.processes"]
    assert line.endswith(" MiB of gradients a pass")


def test_shards_get_the_sum_of_their_own_gradients_alone() -> None:
    assert bytes_scattered(1000, 2) == 2000
    assert bytes_scattered(1000, 4) == 3000
    assert bytes_scattered(1000, 1) == 0


def test_each_sends_its_share_of_the_layers_twice_and_of_the_rest_once() -> None:
    assert bytes_gathered(layers=300, others=40, size=2) == (2 * 300 + 40) / 2
    assert bytes_gathered(layers=300, others=40, size=1) == 0
