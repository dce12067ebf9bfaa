"""What holds for every method: the base stays, looks change nothing, it learns, and a cut run goes on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from updates import judged, method_of, pairs, prompts, setup_of

import referee
import tiny
from finewright.conformance.method import MadeMethod, MethodConformance, MethodRun
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import (
    DistillSpec,
    DPOSpec,
    GKDSpec,
    GRPOSpec,
    KTOSpec,
    ORPOSpec,
    PPOSpec,
    RewardModelSpec,
    SFTSpec,
    SimPOSpec,
)
from finewright.schema.train import TrainSettings
from finewright.train.references import References
from finewright.train.teacher import TaughtRows
from finewright.train.watch import Watch

pytestmark = pytest.mark.torch

STEPS = 4
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
SPECS: Mapping[str, TrainSettings] = {
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
    "distill": DistillSpec(**SHARED, teacher="t", top_k=5),
    "gkd": GKDSpec(**SHARED, teacher="t", max_new_tokens=6),
}


def rows_for(spec: TrainSettings) -> list[Example]:
    if spec.method in ("grpo", "ppo"):
        return prompts(6, 3, 9, 4, 5)
    if spec.method == "kto":
        return judged("uneven")
    rows = pairs("uneven")
    if spec.method == "gkd":
        return [*prompts(4, 6), *(Example(row.sequences[:1]) for row in rows)]
    return [Example(r.sequences[:1]) for r in rows] if spec.method in ("sft", "distill") else rows


def made(spec: TrainSettings) -> MadeMethod:
    model = tiny.tiny_model("llama")
    lm = LM(model, add_lora(model, spec.adapter, seed=spec.seed))
    return lm, method_of(spec, lm)


class TestEveryMethod(MethodConformance):
    @pytest.fixture(params=SPECS.values(), ids=SPECS)
    def spec(self, request: pytest.FixtureRequest) -> TrainSettings:
        return request.param

    @pytest.fixture
    def rows(self, spec: TrainSettings) -> list[Example]:
        return rows_for(spec)

    @pytest.fixture
    def made(self, tmp_path: Path) -> Callable[[TrainSettings], MadeMethod]:
        def with_stored_references(spec: TrainSettings) -> MadeMethod:
            lm, method = made(spec)
            setup = setup_of(lm)
            references = References(tmp_path / "references.json", "a" * 64)
            taught = TaughtRows(tmp_path / "teacher.safetensors", "a" * 64)
            whole = replace(setup, references=references, taught=taught)
            return lm, type(method)(spec, whole)

        return with_stored_references


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
def test_an_easy_preference_is_learned(spec: TrainSettings) -> None:
    run = MethodRun(spec, easy_rows(spec.method), made(spec))
    first, *_, last = run.steps()
    assert first.metrics["accuracy"] < 0.9
    assert last.metrics["accuracy"] == 1.0
    assert last.loss < 0.8 * first.loss


def test_answers_are_learned_as_well_as_the_frozen_head_allows() -> None:
    rows = [Example(row.sequences[:1]) for row in pairs("even")]
    settings = {**EASY, "max_steps": 40, "learning_rate": 0.005, "adapter": LoraSpec(r=16)}
    spec = SFTSpec(**settings)
    first, *_, last = MethodRun(spec, rows, made(spec)).steps()
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


def sampled(spec: TrainSettings) -> Sampled:
    steps = list(MethodRun(spec, prompts(*[5] * 12), made(spec)).steps())
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
def test_rewards_rise_within_reach_of_the_base(spec: TrainSettings, most_kl: float) -> None:
    run = sampled(spec)
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
    low: TrainSettings, high: TrainSettings
) -> None:
    cheap, dear = (sampled(spec.model_copy(update={"max_steps": 10})) for spec in (low, high))
    assert dear.kl < 0.8 * cheap.kl


@pytest.mark.parametrize(("dtype", "warns"), [(torch.float32, False), (torch.bfloat16, True)])
@pytest.mark.parametrize("name", ["grpo", "grpo, twice", "ppo"])
def test_rounding_between_sampler_and_trainer_is_warned_of(
    name: str, dtype: torch.dtype, warns: bool
) -> None:
    spec = SPECS[name].model_copy(update={"micro_batch_tokens": None, "dtype": "bf16"})
    model = tiny.tiny_model("llama").to(dtype)
    lm = LM(model, referee.random_adapters(model))
    run = MethodRun(spec, rows_for(spec), (lm, method_of(spec, lm)))
    watch, steps = Watch(spec), list(run.steps())
    assert len(steps) == STEPS
    assert all({"sampler_k1", "sampler_k2"} <= step.metrics.keys() for step in steps)
    said = [problem for step in steps for problem in watch.look(step)]
    assert any("sampler and trainer differ" in problem.message for problem in said) == warns
