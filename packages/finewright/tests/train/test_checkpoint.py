"""A run that was cut ends bitwise as one that was not; a bad checkpoint is noticed and passed over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import SFTSpec
from finewright.train import checkpoint
from finewright.train.checkpoint import KEEP, CheckpointProgress
from finewright.train.loop import train
from finewright.train.methods.setup import Setup
from finewright.train.methods.sft import SFT
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer, put_back, state_of

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
STEPS = 6
ROWS = [Example((row,)) for row in tiny.random_rows([9, 4, 14, 7, 3])]
SPEC = SFTSpec(
    learning_rate=0.02,
    batch_size=2,
    max_steps=STEPS,
    weight_decay=0.01,
    adapter=LoraSpec(r=4, dropout=0.2),
)
KEY = "a" * 64
FILES = ("method.safetensors", "optimizer.safetensors", "state.json", "weights.safetensors")


class Cut:
    """A run rebuilt from nothing but its folder of checkpoints, as a new process would."""

    def __init__(self, model: PreTrainedModel, folder: Path) -> None:
        self.lm = LM(model, add_lora(model, SPEC.adapter, seed=SPEC.seed))
        self.method = SFT(SPEC, Setup(self.lm))
        self.optimizer = make_optimizer(self.lm, self.method, weight_decay=SPEC.weight_decay)
        self.folder = folder
        self.start = 0
        found, self.problems = checkpoint.latest(folder, key=KEY)
        if found:
            self.start = found.progress.step
            put_back(found.state, self.lm, self.method, self.optimizer)

    def to(self, last: int) -> "Cut":
        """Run through step `last`, keeping a checkpoint after each step."""
        steps = train(
            self.lm,
            self.method,
            ROWS,
            schedule_of(SPEC, [row.num_tokens for row in ROWS]),
            self.optimizer,
            start_step=self.start,
        )
        for step in steps:
            checkpoint.save(
                self.folder,
                key=KEY,
                progress=CheckpointProgress(step.step, 10 * step.step, 5 * step.step, 0.5, 3.25),
                state=state_of(self.lm, self.method, self.optimizer),
            )
            if step.step == last:
                break
        return self

    def state(self) -> dict[str, Tensor]:
        """Adapter and optimiser, by name."""
        state = state_of(self.lm, self.method, self.optimizer)
        return {**state.weights, **state.optimizer}


def same(found: dict[str, Tensor], true: dict[str, Tensor]) -> bool:
    return found.keys() == true.keys() and all(torch.equal(found[n], true[n]) for n in true)


@pytest.fixture
def uninterrupted(tiny_model: Model, tmp_path: Path) -> dict[str, Tensor]:
    return Cut(tiny_model("llama"), tmp_path / "whole").to(STEPS).state()


@pytest.fixture
def folder(tiny_model: Model, tmp_path: Path) -> Path:
    """The checkpoints of a run that was cut after step 4: those of steps 3 and 4."""
    folder = tmp_path / "checkpoints"
    Cut(tiny_model("llama"), folder).to(4)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(folder: Path) -> tuple[int, list[str]]:
    """The step of the checkpoint that is used, and what is said of those that are not."""
    found, problems = checkpoint.latest(folder, key=KEY)
    return (found.progress.step if found else 0), [problem.message for problem in problems]


@pytest.mark.parametrize("stop", range(1, STEPS))
def test_a_cut_run_ends_bitwise_as_an_uninterrupted_one(
    stop: int, tiny_model: Model, tmp_path: Path, uninterrupted: dict[str, Tensor]
) -> None:
    Cut(tiny_model("llama"), tmp_path / "cut").to(stop)
    torch.manual_seed(99)
    continued = Cut(tiny_model("llama"), tmp_path / "cut")
    assert continued.start == stop
    assert same(continued.to(STEPS).state(), uninterrupted)


def test_a_run_cut_after_every_step_ends_the_same(
    tiny_model: Model, tmp_path: Path, uninterrupted: dict[str, Tensor]
) -> None:
    for stop in range(1, STEPS + 1):
        last = Cut(tiny_model("llama"), tmp_path / "cut").to(stop)
    assert same(last.state(), uninterrupted)


def test_a_checkpoint_comes_back_as_it_was_written(tiny_model: Model, tmp_path: Path) -> None:
    run = Cut(tiny_model("llama"), tmp_path).to(2)
    found, problems = checkpoint.latest(tmp_path, key=KEY)
    assert found is not None
    assert found.progress == CheckpointProgress(2, 20, 10, 0.5, 3.25)
    assert same({**found.state.weights, **found.state.optimizer}, run.state())
    assert problems == []


def test_only_the_newest_are_kept(tiny_model: Model, tmp_path: Path) -> None:
    Cut(tiny_model("llama"), tmp_path).to(STEPS)
    assert KEEP == 2
    assert names(tmp_path) == ["step-000005", "step-000006"]
    assert names(tmp_path / "step-000006") == list(FILES)


def test_no_checkpoints_are_no_problem(tmp_path: Path) -> None:
    assert read(tmp_path / "missing") == (0, [])


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_byte_is_noticed_and_the_older_checkpoint_used(name: str, folder: Path) -> None:
    path = folder / "step-000004" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    step, (message,) = read(folder)
    assert step == 3
    assert message in {
        f"checkpoint not used: {name} is damaged",
        "checkpoint not used: it is incomplete",
    }


def test_no_bit_of_the_state_can_flip_unnoticed(folder: Path) -> None:
    path = folder / "step-000004" / "state.json"
    whole = path.read_bytes()
    used, _ = checkpoint.latest(folder, key=KEY)
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found, _ = checkpoint.latest(folder, key=KEY)
        assert found.progress.step == 3 or found.progress == used.progress


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed_and_the_older_checkpoint_used(name: str, folder: Path) -> None:
    (folder / "step-000004" / name).unlink()
    assert read(folder) == (3, ["checkpoint not used: it is incomplete"])


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_noticed_and_the_older_checkpoint_used(name: str, folder: Path) -> None:
    path = folder / "step-000004" / name
    path.write_bytes(path.read_bytes()[:-20])
    step, messages = read(folder)
    assert (step, len(messages)) == (3, 1)


@pytest.mark.parametrize(
    "state", ["[]", "{}", "null", '{"key": 3}', f'{{"key": "{KEY}", "files": {{}}}}']
)
def test_a_state_of_another_shape_is_noticed(state: str, folder: Path) -> None:
    (folder / "step-000004" / "state.json").write_text(state)
    step, messages = read(folder)
    assert (step, len(messages)) == (3, 1)


def test_a_state_that_names_no_files_is_not_trusted(folder: Path) -> None:
    path = folder / "step-000004" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": {}}))
    assert read(folder)[0] == 3


def test_a_checkpoint_of_another_run_is_passed_over(tiny_model: Model, tmp_path: Path) -> None:
    run = Cut(tiny_model("llama"), tmp_path).to(2)
    checkpoint.save(
        tmp_path,
        key="b" * 64,
        progress=CheckpointProgress(3, 0, 0, 0.0, 0.0),
        state=state_of(run.lm, run.method, run.optimizer),
    )
    assert read(tmp_path) == (2, ["checkpoint not used: it belongs to another run"])


def test_a_problem_names_the_folder_and_the_mend(folder: Path) -> None:
    (folder / "step-000004" / "state.json").unlink()
    _, (problem,) = checkpoint.latest(folder, key=KEY)
    assert problem.level == "warning"
    assert problem.file == str(folder / "step-000004")
    assert "the one before it is used" in problem.hint


def test_all_of_another_run_means_to_start_over(folder: Path) -> None:
    found, problems = checkpoint.latest(folder, key="b" * 64)
    assert found is None
    assert [p.message for p in problems] == ["checkpoint not used: it belongs to another run"] * 2


def test_a_run_that_fell_back_ends_the_same(
    tiny_model: Model, folder: Path, uninterrupted: dict[str, Tensor]
) -> None:
    (folder / "step-000004" / "weights.safetensors").unlink()
    continued = Cut(tiny_model("llama"), folder)
    assert continued.start == 3
    assert same(continued.to(STEPS).state(), uninterrupted)
    assert names(folder) == ["step-000005", "step-000006"]


def test_newer_checkpoints_that_were_passed_over_do_not_push_out_good_ones(
    tiny_model: Model, folder: Path
) -> None:
    for step in ("step-000090", "step-000091"):
        shutil.copytree(folder / "step-000004", folder / step)
        (folder / step / "optimizer.safetensors").unlink()
    Cut(tiny_model("llama"), folder).to(5)
    assert read(folder)[0] == 5


def test_an_unfinished_checkpoint_is_not_seen(folder: Path) -> None:
    shutil.copytree(folder / "step-000004", folder / ".step-000005.0123abcd.tmp")
    assert read(folder) == (4, [])
