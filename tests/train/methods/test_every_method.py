"""What holds for every method: the base stays, looks change nothing, it learns, and a cut run goes on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from updates import judged, method_of, pairs, prompts, setup_of

import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import (
    AnyTrainSpec,
    DPOSpec,
    GRPOSpec,
    KTOSpec,
    ORPOSpec,
    PPOSpec,
    RewardModelSpec,
    SFTSpec,
    SimPOSpec,
)
from finewright.train import checkpoint
from finewright.train.checkpoint import CheckpointProgress
from finewright.train.loop import TrainStep, held_out_loss, rows_of_step, train
from finewright.train.methods.setup import Setup
from finewright.train.references import References
from finewright.train.schedule import Schedule, schedule_of
from finewright.train.state import make_optimizer, put_back, state_of

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
STEPS = 4
KEY = "a" * 64
SHARED = {
    "learning_rate": 0.01,
    "batch_size": 2,
    "gradient_accumulation": 2,
    "max_steps": STEPS,
    "weight_decay": 0.01,
    "adapter": LoraSpec(r=4, dropout=0.2),
    "micro_batch_tokens": 60,
}
ONLINE = {"rewards": ("valid_json",), "max_new_tokens": 6, "num_generations": 3}
SPECS: Mapping[str, AnyTrainSpec] = {
    "sft": SFTSpec(**SHARED),
    "dpo": DPOSpec(**SHARED),
    "dpo, free": DPOSpec(**SHARED, reference_free=True),
    "orpo": ORPOSpec(**SHARED),
    "simpo": SimPOSpec(**SHARED),
    "kto": KTOSpec(**SHARED),
    "reward": RewardModelSpec(**SHARED),
    "grpo": GRPOSpec(**SHARED, **ONLINE),
    "grpo, twice": GRPOSpec(**SHARED, **ONLINE, num_iterations=2, loss_type="dapo"),
    "ppo": PPOSpec(**SHARED, **ONLINE, num_ppo_epochs=2, target_kl=0.01),
}
every_method = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def rows_for(spec: AnyTrainSpec) -> list[Example]:
    if spec.method in ("grpo", "ppo"):
        return prompts(6, 3, 9, 4, 5)
    if spec.method == "kto":
        return judged("uneven")
    rows = pairs("uneven")
    return [Example(row.sequences[:1]) for row in rows] if spec.method == "sft" else rows


class Run:
    """A run as a new process begins it: from nothing but its folder."""

    def __init__(self, spec: AnyTrainSpec, folder: Path, rows: Sequence[Example] = ()) -> None:
        self.spec, self.rows = spec, list(rows) or rows_for(spec)
        model = tiny.tiny_model("llama")
        self.lm = LM(model, add_lora(model, spec.adapter, seed=spec.seed))
        setup = setup_of(self.lm)
        references = References(folder / "references.json", KEY)
        setup = Setup(self.lm, setup.chat, setup.rewards, references)
        self.method = type(method_of(spec, self.lm))(spec, setup)
        schedule, rows = self.schedule, self.rows
        steps = (rows_of_step(schedule, rows, step) for step in range(schedule.steps))
        self.lm.model.train()
        self.method.prepare(self.lm, chain(steps, [self.rows]), spec.micro_batch_tokens)
        self.optimizer = make_optimizer(self.lm, self.method, weight_decay=spec.weight_decay)

    @property
    def schedule(self) -> Schedule:
        return schedule_of(self.spec, [row.num_tokens for row in self.rows])

    def steps(self, start: int = 0) -> Iterator[TrainStep]:
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
        state = state_of(self.lm, self.method, self.optimizer)
        checkpoint.save(folder, key=KEY, progress=CheckpointProgress(step), state=state)

    def resume(self, folder: Path) -> int:
        found, problems = checkpoint.latest(folder, key=KEY)
        assert found is not None
        assert problems == []
        put_back(found.state, self.lm, self.method, self.optimizer)
        return found.progress.step

    def state(self) -> dict[str, Tensor]:
        """A copy of all that decides the next step."""
        files = state_of(self.lm, self.method, self.optimizer).files()
        return {f"{file} {n}": t.clone() for file, ts in files.items() for n, t in ts.items()}


def differing(found: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> list[str]:
    assert found.keys() == true.keys()
    return [name for name in true if not torch.equal(found[name], true[name])]


def told(step: TrainStep) -> tuple[Any, ...]:
    return step.step, step.loss, step.grad_norm, step.metrics


@every_method
def test_a_run_cut_after_any_step_ends_bitwise_as_an_uninterrupted_one(
    spec: AnyTrainSpec, tmp_path: Path
) -> None:
    whole, steps = Run(spec, tmp_path), []
    for step in whole.steps():
        steps.append(told(step))
        whole.save(tmp_path / f"cut-{step.step}", step.step)
    true = whole.state()
    for cut in range(1, STEPS):
        torch.manual_seed(99)
        continued = Run(spec, tmp_path)
        assert continued.resume(tmp_path / f"cut-{cut}") == cut
        assert [told(step) for step in continued.steps(cut)] == steps[cut:]
        assert differing(continued.state(), true) == []


@every_method
def test_the_adapter_moves_and_the_base_stays_bitwise(spec: AnyTrainSpec, tmp_path: Path) -> None:
    run = Run(spec, tmp_path)
    trained = {id(p) for p in run.lm.parameters()}
    before = {name: p.detach().clone() for name, p in run.lm.model.named_parameters()}
    heads = [p.detach().clone() for p in run.method.parameters()]

    list(run.steps())

    for name, parameter in run.lm.model.named_parameters():
        moved = not torch.equal(parameter, before[name])
        assert moved is (id(parameter) in trained), name
    for head, was in zip(run.method.parameters(), heads, strict=True):
        assert not torch.equal(head, was)


@every_method
def test_a_look_at_held_out_rows_changes_nothing(spec: AnyTrainSpec, tmp_path: Path) -> None:
    run = Run(spec.model_copy(update={"gradient_accumulation": 1, "batch_size": 10}), tmp_path)
    before = run.state()
    first, again = (
        held_out_loss(run.lm, run.method, run.rows, batch_size=10, max_tokens=limit)
        for limit in (None, 60)
    )
    assert differing(run.state(), before) == []
    assert all(p.grad is None for p in [*run.lm.parameters(), *run.method.parameters()])
    assert again[0] == pytest.approx(first[0], rel=1e-5, abs=1e-6)
    assert again[1] == pytest.approx(first[1], rel=1e-4, abs=1e-5)


def answered(prompt: EncodedRow, low: int, high: int, seed: int) -> EncodedRow:
    ids = torch.randint(low, high, (5,), generator=torch.Generator().manual_seed(seed)).tolist()
    return EncodedRow((*prompt.input_ids, *ids), (*prompt.trained, *(True,) * 5))


def easy_rows(method: str) -> list[Example]:
    """The tokens of one half of the vocabulary are liked, those of the other are not."""
    found = []
    for number, row in enumerate(prompts(*[5] * 12)):
        prompt = row.sequences[0]
        liked, not_liked = answered(prompt, 3, 100, number), answered(prompt, 160, 320, number)
        if method == "kto":
            found += [Example((liked,), label=True), Example((not_liked,), label=False)]
        else:
            found.append(Example((liked, not_liked)))
    return found


EASY = {"learning_rate": 0.02, "batch_size": 8, "max_steps": 12, "adapter": LoraSpec(r=4)}


@pytest.mark.parametrize(
    "spec",
    [
        DPOSpec(**EASY),
        DPOSpec(**EASY, loss_type="ipo"),
        DPOSpec(**EASY, loss_type="hinge"),
        ORPOSpec(**EASY, beta=1.0),
        SimPOSpec(**EASY),
        KTOSpec(**EASY),
        RewardModelSpec(**EASY),
    ],
    ids=lambda spec: f"{spec.method} {getattr(spec, 'loss_type', '')}",
)
def test_an_easy_preference_is_learned(spec: AnyTrainSpec, tmp_path: Path) -> None:
    run = Run(spec, tmp_path, easy_rows(spec.method))
    first, *_, last = run.steps()
    assert first.metrics["accuracy"] < 0.9
    assert last.metrics["accuracy"] == 1.0
    assert last.loss < 0.8 * first.loss


def test_answers_are_learned_as_well_as_the_frozen_head_allows(tmp_path: Path) -> None:
    rows = [Example(row.sequences[:1]) for row in pairs("even")]
    settings = {**EASY, "max_steps": 40, "learning_rate": 0.005, "adapter": LoraSpec(r=16)}
    first, *_, last = Run(SFTSpec(**settings), tmp_path, rows).steps()
    assert last.loss < 0.15 * first.loss


SAMPLED = {
    **EASY,
    **ONLINE,
    "num_generations": 8,
    "max_steps": 20,
    "learning_rate": 0.012,
    "lr_scheduler": "constant",
}


class Sampled(NamedTuple):
    """A run's mean reward over its first and last four steps, and KL to the base at its end."""

    first: float
    last: float
    kl: float


def sampled(spec: AnyTrainSpec, folder: Path) -> Sampled:
    steps = list(Run(spec, folder, prompts(*[5] * 12)).steps())
    first, last = (
        sum(step.metrics["reward"] for step in some) / 4 for some in (steps[:4], steps[-4:])
    )
    return Sampled(first, last, sum(step.metrics["kl"] for step in steps[-4:]) / 4)


@pytest.mark.parametrize(
    ("spec", "most_kl"),
    [
        (GRPOSpec(**SAMPLED), 5.0),
        (GRPOSpec(**SAMPLED, loss_type="dapo", num_iterations=2), 5.0),
        (GRPOSpec(**SAMPLED, loss_type="dr_grpo"), 5.0),
        (PPOSpec(**SAMPLED, kl_coef=0.01, num_ppo_epochs=2), 15.0),  # of an answer, not a token
    ],
    ids=["grpo", "dapo", "dr_grpo", "ppo"],
)
def test_rewards_rise_within_reach_of_the_base(
    spec: AnyTrainSpec, most_kl: float, tmp_path: Path
) -> None:
    run = sampled(spec, tmp_path)
    assert run.last > run.first + 0.1
    assert 0 < run.kl < most_kl


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (GRPOSpec(**SAMPLED, beta=0.0001), GRPOSpec(**SAMPLED, beta=2.0)),
        (
            PPOSpec(**SAMPLED, kl_coef=0.0, num_ppo_epochs=2),
            PPOSpec(**SAMPLED, kl_coef=0.5, num_ppo_epochs=2),
        ),
    ],
    ids=["grpo", "ppo"],
)
def test_a_higher_price_of_kl_keeps_the_policy_near_the_base(
    low: AnyTrainSpec, high: AnyTrainSpec, tmp_path: Path
) -> None:
    cheap, dear = (
        sampled(spec.model_copy(update={"max_steps": 10}), tmp_path) for spec in (low, high)
    )
    assert dear.kl < 0.8 * cheap.kl
