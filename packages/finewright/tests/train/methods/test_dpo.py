"""DPO's losses are TRL's, and the formula's where TRL has none; it starts at ln 2."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import trl_twins
from definition import Definition
from torch import Tensor
from trl import DPOConfig, DPOTrainer
from updates import LAYOUTS, WAYS, adapted, assert_same, method_of, pairs, update_of, updates_of

import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import DPOSpec

pytestmark = pytest.mark.torch


def trl(lm: LM, spec: DPOSpec, folder: Path) -> DPOTrainer:
    settings = {"loss_type": [spec.loss_type], "beta": spec.beta}
    return trl_twins.trainer_of(DPOTrainer, DPOConfig, lm, folder, **settings)


def collated(trainer: DPOTrainer, rows: list[Example]) -> dict[str, Tensor]:
    return dict(trainer.data_collator(trl_twins.preferences(rows)))


@pytest.mark.parametrize(("way", "shape"), LAYOUTS)
@pytest.mark.parametrize("loss_type", ["sigmoid", "hinge", "ipo"])
def test_loss_and_gradient_are_those_of_trl(
    loss_type: str, way: str, shape: str, tmp_path: Path
) -> None:
    spec = DPOSpec(loss_type=loss_type, beta=0.3)
    lm, rows = adapted(way), pairs(shape)
    trainer = trl(lm, spec, tmp_path)
    true = trl_twins.update_of(trainer, lm, collated(trainer, rows))
    assert_same(update_of(method_of(spec, lm), lm, rows, WAYS[way]), true)


def by_formula(defined: Definition, rows: list[Example], spec: DPOSpec) -> Tensor:
    losses = []
    for row in rows:
        logps = [defined.logps(sequence) for sequence in row.sequences]
        with defined.base():
            base = [defined.logps(sequence) for sequence in row.sequences]
        if spec.reference_free:
            base = [torch.zeros_like(values) for values in base]
        over = (lambda v: v.mean()) if spec.loss_type == "ipo" else (lambda v: v.sum())
        chosen, rejected = (over(p - q) for p, q in zip(logps, base, strict=True))
        h, e, beta = chosen - rejected, spec.label_smoothing, spec.beta
        losses.append(
            {
                "sigmoid": -(1 - e) * F.logsigmoid(beta * h) - e * F.logsigmoid(-beta * h),
                "hinge": (1 - beta * h).clamp(min=0),
                "ipo": (h - 1 / (2 * beta)) ** 2,
            }[spec.loss_type]
        )
    return torch.stack(losses).mean()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "spec",
    [
        DPOSpec(beta=0.3, label_smoothing=0.2),
        DPOSpec(beta=0.05, reference_free=True),
        DPOSpec(beta=0.05, reference_free=True, label_smoothing=0.3),
        DPOSpec(beta=0.1, reference_free=True, loss_type="hinge"),
        DPOSpec(beta=0.2, reference_free=True, loss_type="ipo"),
    ],
    ids=lambda spec: f"{spec.loss_type} {spec.label_smoothing} {spec.reference_free}",
)
def test_what_trl_has_not_is_the_formula_in_float64(spec: DPOSpec, way: str) -> None:
    lm, rows = adapted(way), pairs("uneven")
    defined = Definition(lm)
    true = defined.update(by_formula(defined, rows, spec))
    assert_same(update_of(method_of(spec, lm), lm, rows, WAYS[way]), true)


def test_the_metrics_are_those_of_trl(tmp_path: Path) -> None:
    spec, lm, rows = DPOSpec(beta=0.3), adapted(), pairs("uneven")
    trainer, method = trl(lm, spec, tmp_path), method_of(spec, lm)
    trl_twins.update_of(trainer, lm, collated(trainer, rows))
    ((batch,),) = updates_of(method, lm, rows, None)
    _, metrics = method.loss(lm, batch)
    theirs = {
        "rewards_chosen": "rewards/chosen",
        "rewards_rejected": "rewards/rejected",
        "margin": "rewards/margins",
        "accuracy": "rewards/accuracies",
        "logps_chosen": "logps/chosen",
        "logps_rejected": "logps/rejected",
    }
    seen = trainer._metrics["train"]
    assert metrics == pytest.approx({n: seen[theirs[n]][0] for n in metrics}, rel=1e-5)


def fresh(way: str) -> LM:
    model = tiny.tiny_model("llama")
    lm = LM(model, add_lora(model, LoraSpec(r=4, dropout=0.2), seed=0))
    lm.packs_exactly = way != "one by one"
    return lm


@pytest.mark.parametrize("way", WAYS)
def test_before_the_first_step_the_loss_is_ln_2_and_the_reference_the_policy(way: str) -> None:
    lm, rows = fresh(way), pairs("uneven")
    method = method_of(DPOSpec(), lm)
    (batches,) = updates_of(method, lm, rows, WAYS[way])
    for batch in batches:
        loss, metrics = method.loss(lm, batch)
        assert loss.item() == pytest.approx(math.log(2), abs=1e-7)
        assert metrics["margin"] == metrics["rewards_chosen"] == metrics["rewards_rejected"] == 0
        sums = torch.stack(batch.sums(lm), 1).flatten()
        assert torch.equal(sums, batch.reference)
