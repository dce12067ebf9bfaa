"""The reward model's loss is that of TRL over transformers' classifier."""

from pathlib import Path
from typing import Any

import pytest
import torch
import trl_twins
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from trl import RewardConfig, RewardTrainer
from updates import LAYOUTS, WAYS, Update, adapted, assert_same, method_of, pairs, update_of

import tiny
from finewright.schema.methods import RewardModelSpec
from finewright.train.loop import Method

pytestmark = pytest.mark.torch


def classifier(method: Method) -> PreTrainedModel:
    """The base with our head on it."""
    model = tiny.tiny_model("llama")
    config = type(model.config)(**{**model.config.to_dict(), "num_labels": 1, "id2label": None})
    twin: Any = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    twin.model.load_state_dict(model.model.state_dict())
    (head,) = method.parameters()
    twin.score.weight.data.copy_(head.data)
    return twin


@pytest.mark.parametrize(("way", "shape"), LAYOUTS)
@pytest.mark.parametrize("coefficient", [0.0, 0.05])
def test_loss_and_gradient_are_those_of_trl(
    coefficient: float, way: str, shape: str, tmp_path: Path
) -> None:
    lm, rows = adapted(way), pairs(shape)
    method = method_of(RewardModelSpec(center_rewards_coefficient=coefficient), lm)
    settings = {"center_rewards_coefficient": coefficient or None}
    trainer = trl_twins.trainer_of(
        RewardTrainer, RewardConfig, lm, tmp_path, model=classifier(method), **settings
    )
    score = trainer.model.base_model.model.score
    score.requires_grad_(True)
    whole = [[list(sequence.input_ids) for sequence in row.sequences] for row in rows]
    examples = [{"chosen_ids": chosen, "rejected_ids": rejected} for chosen, rejected in whole]
    batch = trainer.data_collator(examples)
    loss, gradients = trl_twins.update_of(trainer, lm, batch)
    true = Update(loss, {**gradients, "head 0": score.weight.grad})
    assert_same(update_of(method, lm, rows, WAYS[way]), true)
