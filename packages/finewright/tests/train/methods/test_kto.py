"""KTO's loss is that of TRL, z included; it starts at a half of the weights."""

from pathlib import Path

import pytest
import torch
import trl_twins
from torch import Tensor
from trl import KTOConfig, KTOTrainer
from updates import LAYOUTS, WAYS, adapted, assert_same, judged, method_of, update_of, updates_of

import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import KTOSpec
from finewright.train.methods.kto import move_on

pytestmark = pytest.mark.torch

SPEC = KTOSpec(beta=0.3, desirable_weight=1.3, undesirable_weight=0.7)


def trl(lm: LM, folder: Path) -> KTOTrainer:
    settings = {"beta": 0.3, "desirable_weight": 1.3, "undesirable_weight": 0.7}
    return trl_twins.trainer_of(KTOTrainer, KTOConfig, lm, folder, **settings)


def collated(trainer: KTOTrainer, rows: list[Example]) -> dict[str, Tensor]:
    """As TRL has them: the answer of the row before is the mismatched one."""
    parts = [trl_twins.parts_of(row.sequences[0]) for row in rows]
    found = []
    for number, ((prompt, answer), row) in enumerate(zip(parts, rows, strict=True)):
        other = parts[number - 1][1]
        ids = {"prompt_ids": prompt, "completion_ids": answer, "KL_completion_ids": other}
        found.append({**ids, "label": row.label})
    return dict(trainer.data_collator(found))


@pytest.mark.parametrize(("way", "shape"), LAYOUTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_loss_and_gradient_are_those_of_trl(
    seed: int, way: str, shape: str, tmp_path: Path
) -> None:
    lm, rows = adapted(way), judged(shape, seed=seed)
    trainer = trl(lm, tmp_path)
    true = trl_twins.update_of(trainer, lm, collated(trainer, rows))
    assert_same(update_of(method_of(SPEC, lm), lm, rows, WAYS[way]), true)


@pytest.mark.parametrize(("seed", "below_zero"), [(0, False), (1, True)])
def test_the_metrics_are_those_of_trl(seed: int, below_zero: bool, tmp_path: Path) -> None:
    """z of one of the two is held at zero."""
    lm, rows = adapted(), judged("uneven", seed=seed)
    trainer, method = trl(lm, tmp_path), method_of(SPEC, lm)
    trl_twins.update_of(trainer, lm, collated(trainer, rows))
    ((batch,),) = updates_of(method, lm, rows, None)
    _, metrics = method.loss(lm, batch)
    assert (metrics["kl"] == 0) is below_zero
    seen = trainer._metrics["train"]
    theirs = {
        "kl": "kl",
        "rewards_chosen": "rewards/chosen",
        "rewards_rejected": "rewards/rejected",
    }
    for name, of_trl in theirs.items():
        assert metrics[name] == pytest.approx(seen[of_trl][0], abs=1e-5)


@pytest.mark.parametrize("label", [True, False])
def test_answers_of_one_label_are_enough(label: bool, tmp_path: Path) -> None:
    lm = adapted()
    rows = [row for row in judged("uneven") if row.label is label]
    trainer = trl(lm, tmp_path)
    true = trl_twins.update_of(trainer, lm, collated(trainer, rows))
    assert_same(update_of(method_of(SPEC, lm), lm, rows, 30), true)


@pytest.mark.parametrize("way", WAYS)
def test_before_the_first_step_the_policy_is_the_reference(way: str) -> None:
    model = tiny.tiny_model("llama")
    lm = LM(model, add_lora(model, LoraSpec(r=4, dropout=0.2), seed=0))
    lm.packs_exactly = way != "one by one"
    rows, method = judged("even"), method_of(SPEC, lm)
    (batches,) = updates_of(method, lm, rows, WAYS[way])
    for batch in batches:
        loss, metrics = method.loss(lm, batch)
        weights = torch.where(batch.liked, 1.3, 0.7)
        assert loss.item() == pytest.approx(0.5 * weights.mean().item(), abs=1e-7)
        assert metrics["kl"] == 0.0
        assert metrics.get("rewards_chosen", 0.0) == metrics.get("rewards_rejected", 0.0) == 0.0


def test_each_answer_is_moved_on_to_the_next_prompt() -> None:
    rows = judged("uneven")
    parts = [trl_twins.parts_of(row.sequences[0]) for row in rows]
    others = [trl_twins.parts_of(group[0]) for group in move_on(rows, 1024)]
    assert others == [
        (parts[(i + 1) % len(parts)][0], answer) for i, (_, answer) in enumerate(parts)
    ]


def test_an_answer_at_a_longer_prompt_is_cut_at_the_longest_row() -> None:
    rows = judged("uneven")
    whole = [group[0] for group in move_on(rows, 1024)]
    most = max(row.num_tokens for row in rows)
    assert max(row.num_tokens for row in whole) > most
    for row, cut in zip(whole, move_on(rows, most), strict=True):
        assert cut[0].input_ids == row.input_ids[:most]
        assert any(cut[0].trained)


def test_a_lone_answer_has_no_other_to_be_compared_with() -> None:
    lm, (row, *_) = adapted(), judged("uneven")
    method = method_of(SPEC, lm)
    ((batch,),) = updates_of(method, lm, [row], None)
    assert batch.baseline == 0.0
    loss, _ = method.loss(lm, batch)
    assert loss.isfinite()
