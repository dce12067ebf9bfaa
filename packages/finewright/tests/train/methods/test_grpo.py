"""GRPO's losses are TRL's, on answers of our own, at the first and at later updates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import trl_twins
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer
from updates import WAYS, adapted, assert_same, method_of, prompts, setup_of, taken, updates_of

from finewright.lm.model import LM
from finewright.schema.methods import GRPOSpec
from finewright.train.methods.grpo import advantages_of
from finewright.train.rollouts import Rollout, roll_out

pytestmark = pytest.mark.torch

ROWS = prompts(6, 3, 9, 4)
SHARED = {
    "rewards": ("valid_json",),
    "max_new_tokens": 7,
    "num_generations": 5,
    "temperature": 0.8,
}
SPECS = {
    "grpo": GRPOSpec(**SHARED, beta=0.1),
    "grpo, no KL": GRPOSpec(**SHARED, beta=0.0),
    "dapo, clip higher": GRPOSpec(**SHARED, loss_type="dapo", beta=0.0, epsilon_high=0.28),
    "dapo": GRPOSpec(**SHARED, loss_type="dapo", beta=0.05),
    "dr_grpo": GRPOSpec(**SHARED, loss_type="dr_grpo", beta=0.05),
}


def rollouts_of(lm: LM, spec: GRPOSpec) -> tuple[Rollout, ...]:
    """What the method samples with the same seed."""
    setup = setup_of(lm)
    assert setup.chat is not None
    assert setup.rewards is not None
    return roll_out(lm, setup.chat, setup.rewards, ROWS, spec, 7).rollouts


def trl(lm: LM, spec: GRPOSpec, folder: Path) -> GRPOTrainer:
    return trl_twins.trainer_of(
        GRPOTrainer,
        GRPOConfig,
        lm,
        folder,
        arguments={"reward_funcs": lambda prompts, **_: [0.0] * len(prompts)},
        num_generations=4,
        max_completion_length=spec.max_new_tokens,
        temperature=spec.temperature,
        loss_type=spec.loss_type,
        beta=spec.beta,
        epsilon=spec.epsilon,
        epsilon_high=spec.epsilon_high,
        use_bias_correction_kl=False,  # the paper's estimator, without the ratio's gradient
    )


def advantages(rollouts: Sequence[Rollout], loss_type: str) -> Tensor:
    """By the definition, in float64."""
    rewards = torch.tensor([rollout.rewards for rollout in rollouts], dtype=torch.float64)
    centred = rewards - rewards.mean(1, keepdim=True)
    spread = (centred.square().sum(1, keepdim=True) / (rewards.shape[1] - 1)).sqrt()
    return centred if loss_type == "dr_grpo" else centred / (spread + 1e-4)


@torch.no_grad()
def collated(trainer: GRPOTrainer, rollouts: Sequence[Rollout], spec: GRPOSpec) -> dict[str, Any]:
    """A batch of TRL's: prompts padded on the left, answers on the right, and log p before the update."""
    parts = [trl_twins.parts_of(row) for rollout in rollouts for row in rollout.rows]
    asked, answers = [p for p, _ in parts], [a for _, a in parts]
    ones = [[1] * len(answer) for answer in answers]
    batch: dict[str, Any] = {
        "prompt_ids": trl_twins.padded(asked, left=True),
        "prompt_mask": trl_twins.padded([[1] * len(p) for p in asked], left=True),
        "completion_ids": trl_twins.padded(answers),
        "completion_mask": trl_twins.padded(ones),
        "advantages": advantages(rollouts, spec.loss_type).float().flatten(),
        "num_items_in_batch": torch.tensor(sum(map(len, answers))),
    }
    ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1)
    mask = torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1)
    scored = (ids, mask, batch["completion_ids"].shape[1])
    logps = trainer._get_per_token_logps_and_entropies
    batch["old_per_token_logps"] = logps(trainer.model, *scored)[0]
    with trainer.model.disable_adapter():
        batch["ref_per_token_logps"] = logps(trainer.model, *scored)[0]
    return batch


def moved(lm: LM, way: float) -> None:
    """An adapter that has learned since the answers were sampled."""
    generator = torch.Generator().manual_seed(5)
    for parameter in lm.parameters():
        parameter.data += way * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_loss_and_gradient_are_those_of_trl(spec: GRPOSpec, way: str, tmp_path: Path) -> None:
    lm = adapted(way)
    rollouts = rollouts_of(lm, spec)
    trainer = trl(lm, spec, tmp_path)
    true = trl_twins.update_of(trainer, lm, collated(trainer, rollouts, spec))
    method = method_of(spec, lm)
    (batches,) = updates_of(method, lm, ROWS, WAYS[way])
    assert_same(taken(method, lm, batches), true)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_later_update_on_the_same_answers_is_clipped_as_in_trl(
    spec: GRPOSpec, way: str, tmp_path: Path
) -> None:
    spec = spec.model_copy(update={"num_iterations": 2})
    lm = adapted(way)
    rollouts = rollouts_of(lm, spec)
    trainer = trl(lm, spec, tmp_path)
    batch = collated(trainer, rollouts, spec)
    method = method_of(spec, lm)
    first, second = updates_of(method, lm, ROWS, WAYS[way])
    assert first == second
    moved(lm, 0.02)
    trl_twins.follow(trainer, lm)
    assert_same(taken(method, lm, second), trl_twins.update_of(trainer, lm, batch))
    clipped = trainer._metrics["train"]["clip_ratio/region_mean"][-1]
    assert 0.05 < clipped < 0.8


def test_answers_are_of_all_lengths_and_rewards() -> None:
    """Or the comparisons above would prove little."""
    rollouts = rollouts_of(adapted(), SPECS["grpo"])
    lengths = {row.num_trained for rollout in rollouts for row in rollout.rows}
    assert {1, 7} <= lengths
    assert len(lengths) >= 5
    assert all(len(set(rollout.rewards)) > 1 for rollout in rollouts)


def test_the_metrics_are_those_of_trl(tmp_path: Path) -> None:
    spec = SPECS["grpo"].model_copy(update={"num_iterations": 2, "loss_type": "dapo"})
    lm = adapted()
    rollouts = rollouts_of(lm, spec)
    trainer = trl(lm, spec, tmp_path)
    batch = collated(trainer, rollouts, spec)
    method = method_of(spec, lm)
    _, (ours,) = updates_of(method, lm, ROWS, None)
    moved(lm, 0.02)
    trl_twins.follow(trainer, lm)
    trl_twins.update_of(trainer, lm, batch)
    _, metrics = method.loss(lm, ours)
    seen = trainer._metrics["train"]
    assert metrics["kl"] == pytest.approx(seen["kl"][0], rel=1e-5)
    assert metrics["clip_fraction"] == pytest.approx(seen["clip_ratio/region_mean"][0], rel=1e-5)


def test_answers_that_all_earn_the_same_teach_nothing() -> None:
    assert advantages_of(torch.full((2, 4), 0.3), scaled=True).abs().max() < 1e-6


def test_more_than_one_update_needs_log_p_from_before_the_first() -> None:
    lm = adapted()
    ((batch,),) = updates_of(method_of(SPECS["grpo, no KL"], lm), lm, ROWS, None)
    assert (batch.before, batch.base) == (None, None)


def test_probabilities_are_those_of_the_policy_that_sampled_whatever_the_dropout() -> None:
    spec = SPECS["grpo"].model_copy(update={"num_iterations": 2})
    lm = adapted(dropout=0.5)
    method = method_of(spec, lm)
    (batch,), _ = updates_of(method, lm, ROWS, None)
    _, metrics = method.loss(lm, batch)
    assert metrics["clip_fraction"] == 0
    with torch.no_grad():
        lm.model.eval()  # as answers are sampled
        assert batch.before.allclose(lm.token_logps(batch.packed, spec.temperature), atol=1e-5)
