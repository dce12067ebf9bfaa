"""SimPO's loss is that of TRL."""

from pathlib import Path

import pytest
import trl_twins
from trl.experimental.cpo import CPOConfig, CPOTrainer
from updates import LAYOUTS, WAYS, adapted, assert_same, method_of, pairs, update_of

from finewright.lm.example import Example
from finewright.schema.methods import SimPOSpec

pytestmark = pytest.mark.torch


def collated(trainer: CPOTrainer, rows: list[Example]) -> dict[str, object]:
    """Each answer with its prompt, and labels where it is learned."""
    found = []
    for row in trl_twins.preferences(rows):
        example: dict[str, list[int]] = {"prompt_input_ids": row["prompt_ids"]}
        for name in ("chosen", "rejected"):
            prompt, answer = row["prompt_ids"], row[f"{name}_ids"]
            example[f"{name}_input_ids"] = [*prompt, *answer]
            example[f"{name}_attention_mask"] = [1] * len(example[f"{name}_input_ids"])
            example[f"{name}_labels"] = [-100] * len(prompt) + answer
        found.append(example)
    return dict(trainer.data_collator(found))


@pytest.mark.parametrize(("way", "shape"), LAYOUTS)
@pytest.mark.parametrize("gamma", [0.0, 1.4])
def test_loss_and_gradient_are_those_of_trl(
    gamma: float, way: str, shape: str, tmp_path: Path
) -> None:
    spec = SimPOSpec(beta=2.5, gamma=gamma)
    lm, rows = adapted(way), pairs(shape)
    settings = {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.5, "simpo_gamma": gamma}
    trainer = trl_twins.trainer_of(CPOTrainer, CPOConfig, lm, tmp_path, **settings)
    true = trl_twins.update_of(trainer, lm, collated(trainer, rows))
    assert_same(update_of(method_of(spec, lm), lm, rows, WAYS[way]), true)
