"""What every training method must do, on a small model of the caller's: a test module subclasses
`MethodConformance` and gives fixtures: `spec` (of a few steps, with an adapter that has dropout), `rows`, and
`made`, which gives a fresh model with its adapter and, by `method_of`, the method on it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.plugins import load
from finewright.schema.common import default_reasons
from finewright.schema.train import TrainSettings
from finewright.schema.train_section import settings_of
from finewright.train import checkpoint
from finewright.train.checkpoint import CheckpointProgress
from finewright.train.loop import Method, TrainStep, measure_held_out_loss, rows_of_step, train
from finewright.train.schedule import Schedule, schedule_of
from finewright.train.state import make_optimizer, put_back, state_of

MadeMethod = tuple[LM, Method]
"""A fresh model with its adapter, and the method on it."""
KEY = "a" * 64
"""Of the runs whose checkpoints are kept."""


@dataclass
class MethodRun:
    """A run as a new process begins it: from its spec and rows alone."""

    spec: TrainSettings
    rows: Sequence[Example]
    made: MadeMethod

    def __post_init__(self) -> None:
        self.lm, self.method = self.made
        schedule = self.schedule
        steps = (rows_of_step(schedule, self.rows, step) for step in range(schedule.steps))
        self.lm.model.train()
        self.method.prepare(self.lm, chain(steps, [self.rows]), self.spec.micro_batch_tokens)
        self.optimizer = make_optimizer(self.lm, self.method, weight_decay=self.spec.weight_decay)

    @property
    def schedule(self) -> Schedule:
        """The rows of each step."""
        return schedule_of(self.spec, [row.num_tokens for row in self.rows])

    def steps(self, start: int = 0) -> Iterator[TrainStep]:
        """The loop's own steps, from this one on."""
        return train(
            self.lm,
            self.method,
            self.rows,
            self.schedule,
            self.optimizer,
            start_step=start,
            micro_batch_tokens=self.spec.micro_batch_tokens,
        )

    def save(self, folder: Path, step: int) -> None:
        """A checkpoint after this step."""
        state = state_of(self.lm, self.method, self.optimizer)
        checkpoint.save(folder, key=KEY, progress=CheckpointProgress(step), state=state)

    def resume(self, folder: Path) -> int:
        """The step that the folder's checkpoint goes on from."""
        found, problems = checkpoint.latest(folder, key=KEY)
        assert found is not None
        assert problems == []
        put_back(found.state, self.lm, self.method, self.optimizer)
        return found.progress.step

    def state(self) -> dict[str, Tensor]:
        """A copy of all that decides the next step."""
        files = state_of(self.lm, self.method, self.optimizer).files()
        return {f"{file} {n}": t.clone() for file, ts in files.items() for n, t in ts.items()}


Make = Callable[[TrainSettings], MethodRun]


class MethodConformance:
    """The claims: a spec can name it, a cut run goes on bitwise, the base stays, and a look at held-out rows
    changes nothing."""

    @pytest.fixture
    def make(self, rows: Sequence[Example], made: Callable[[TrainSettings], MadeMethod]) -> Make:
        return lambda spec: MethodRun(spec, rows, made(spec))

    def test_a_spec_can_name_it(self, spec: TrainSettings) -> None:
        assert settings_of(spec.method) is type(spec), "its entry point has its name"
        assert callable(load(spec.code))
        common, why = TrainSettings.model_fields, default_reasons(type(spec))
        own = {k: field for k, field in type(spec).model_fields.items() if k not in common}
        assert [key for key, field in own.items() if not field.description] == []
        assert [k for k, field in own.items() if not field.is_required() and k not in why] == []

    def test_a_run_cut_after_any_step_ends_bitwise_as_an_uninterrupted_one(
        self, spec: TrainSettings, make: Make, tmp_path: Path
    ) -> None:
        whole, steps = make(spec), []
        for step in whole.steps():
            steps.append(_figures_of_step(step))
            whole.save(tmp_path / f"cut-{step.step}", step.step)
        true = whole.state()
        for cut in range(1, len(steps)):
            torch.manual_seed(99)
            continued = make(spec)
            assert continued.resume(tmp_path / f"cut-{cut}") == cut
            assert [_figures_of_step(step) for step in continued.steps(cut)] == steps[cut:]
            assert _differing(continued.state(), true) == []

    def test_the_adapter_moves_and_the_base_stays_bitwise(
        self, spec: TrainSettings, make: Make
    ) -> None:
        run = make(spec)
        trained = {id(p) for p in run.lm.parameters()}
        before = {name: p.detach().clone() for name, p in run.lm.model.named_parameters()}
        heads = [p.detach().clone() for p in run.method.parameters()]
        list(run.steps())
        for name, parameter in run.lm.model.named_parameters():
            moved = not torch.equal(parameter, before[name])
            assert moved is (id(parameter) in trained), name
        for head, was in zip(run.method.parameters(), heads, strict=True):
            assert not torch.equal(head, was)

    def test_a_look_at_held_out_rows_changes_nothing(self, spec: TrainSettings, make: Make) -> None:
        run = make(spec.model_copy(update={"gradient_accumulation": 1, "batch_size": 10}))
        before = run.state()
        first, again = (
            measure_held_out_loss(run.lm, run.method, run.rows, batch_size=10, max_tokens=limit)
            for limit in (None, 60)
        )
        assert _differing(run.state(), before) == []
        assert all(p.grad is None for p in [*run.lm.parameters(), *run.method.parameters()])
        assert again[0] == pytest.approx(first[0], rel=1e-5, abs=1e-6)
        assert again[1] == pytest.approx(first[1], rel=1e-4, abs=1e-5)


def _differing(found: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> list[str]:
    assert found.keys() == true.keys()
    return [name for name in true if not torch.equal(found[name], true[name])]


def _figures_of_step(step: TrainStep) -> tuple[Any, ...]:  # Any: whatever the step has
    return step.step, step.loss, step.grad_norm, step.metrics
