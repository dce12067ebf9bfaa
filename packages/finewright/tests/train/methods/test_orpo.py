"""ORPO's loss is the formula in float64, and its odds-ratio term TRL's."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import trl_twins
from definition import Definition
from torch import Tensor
from trl.experimental.orpo import ORPOConfig, ORPOTrainer
from updates import WAYS, adapted, assert_same, method_of, pairs, update_of, updates_of

from finewright.lm.batch import PackedBatch
from finewright.lm.example import EncodedRow, Example
from finewright.schema.methods import ORPOSpec

pytestmark = pytest.mark.torch


def by_formula(defined: Definition, rows: list[Example], beta: float) -> Tensor:
    losses = []
    for row in rows:
        chosen, rejected = (defined.logps(sequence).mean() for sequence in row.sequences)
        log_odds = [p - torch.log1p(-p.exp()) for p in (chosen, rejected)]
        losses.append(-chosen - beta * F.logsigmoid(log_odds[0] - log_odds[1]))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("beta", [0.1, 1.5])
def test_loss_and_gradient_are_the_formula_in_float64(beta: float, way: str) -> None:
    lm, rows = adapted(way), pairs("uneven")
    defined = Definition(lm)
    true = defined.update(by_formula(defined, rows, beta))
    assert_same(update_of(method_of(ORPOSpec(beta=beta), lm), lm, rows, WAYS[way]), true)


def test_the_odds_ratio_is_that_of_trl(tmp_path: Path) -> None:
    """The rest differs: TRL's likelihood term is over the prompt too."""
    lm, rows = adapted(), pairs("uneven")
    method = method_of(ORPOSpec(beta=0.7), lm)
    trainer = trl_twins.trainer_of(ORPOTrainer, ORPOConfig, lm, tmp_path, beta=0.7)
    ((batch,),) = updates_of(method, lm, rows, None)
    loss, metrics = method.loss(lm, batch)
    pairs_of = zip(batch.sums(lm), batch.lengths(), strict=True)
    ratio, *_, log_odds = trainer.odds_ratio_loss(*(sums / lengths for sums, lengths in pairs_of))
    assert metrics["log_odds"] == pytest.approx(log_odds.item(), rel=1e-5)
    assert loss.item() - metrics["nll"] == pytest.approx(-ratio.mean().item(), abs=1e-5)


def of_one_token(rows: list[Example]) -> list[Example]:
    """The pairs with one token of their prompts: it is not predicted, and TRL's mean is over prompts too."""
    return [
        Example(
            tuple(EncodedRow(s.input_ids[at - 1 :], s.trained[at - 1 :]) for s in row.sequences)
        )
        for row in rows
        for at in (row.sequences[0].trained.index(True),)
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_mean_over_tokens_is_trls_loss_and_gradient(way: str, tmp_path: Path) -> None:
    lm, rows = adapted(way), of_one_token(pairs("uneven"))
    trainer = trl_twins.trainer_of(ORPOTrainer, ORPOConfig, lm, tmp_path, beta=0.7)
    sides = [[row.sequences[i] for row in rows] for i in (0, 1)]
    batch: dict[str, Any] = {}
    for name, side in zip(("chosen", "rejected"), sides, strict=True):
        ids = [list(one.input_ids) for one in side]
        labels = [[-100, *i[1:]] for i in ids]
        batch[f"{name}_input_ids"] = trl_twins.padded(ids)
        batch[f"{name}_attention_mask"] = trl_twins.padded([[1] * len(i) for i in ids])
        batch[f"{name}_labels"] = trl_twins.padded(labels, -100)
    true = trl_twins.update_of(trainer, lm, batch)
    method = method_of(ORPOSpec(beta=0.7, nll_mean="tokens"), lm)
    assert_same(update_of(method, lm, rows, WAYS[way]), true)
    pairwise = update_of(method_of(ORPOSpec(beta=0.7), lm), lm, rows, WAYS[way])
    assert abs(pairwise.loss / true.loss - 1) > 1e-3


class Certain:
    """A model that is sure of every token."""

    def token_logps(self, batch: PackedBatch) -> Tensor:
        return torch.zeros(batch.num_trained, requires_grad=True)


def test_a_certain_answer_has_a_finite_loss() -> None:
    """Where p rounds to 1 its odds are infinite."""
    lm, rows = adapted(), pairs("uneven")
    method = method_of(ORPOSpec(), lm)
    ((batch,),) = updates_of(method, lm, rows, None)
    certain: Any = Certain()
    loss, _ = method.loss(certain, batch)
    assert loss.item() == pytest.approx(0.1 * math.log(2))  # nothing to choose between the two
