"""The loss of a head, and all its gradients, are a plain computation in float64, row by row."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from updates import WAYS, Update, adapted, assert_same, chat, prompts, update_of

import referee
import tiny
from finewright.labels.targets import LabelTargets
from finewright.schema.decisions import DecisionKind, DecisionSpec
from finewright.schema.label_methods import LABEL_COLUMN, LabelHeadSpec
from finewright.train.methods.labels import LabelHead
from finewright.train.methods.setup import Setup

pytestmark = pytest.mark.torch

LABELS = ("a", "b", "c")
DUE: dict[DecisionKind, list[Any]] = {
    "single": [2, 0, 0, 1],
    "several": [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]],
    "score": [[0.5], [-2.0], [1.25], [0.0]],
}


def true_loss(kind: DecisionKind, logits: Tensor, due: Any) -> Tensor:
    """Of one row, by the definition."""
    if kind == "single":
        return -torch.log(logits.exp()[due] / logits.exp().sum())
    truth = torch.tensor(due, dtype=torch.float64)
    if kind == "score":
        return (logits[0] - truth[0]) ** 2
    p = 1 / (1 + torch.exp(-logits))
    return -torch.stack([p[k].log() if truth[k] else (1 - p[k]).log() for k in range(3)]).mean()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", DUE)
def test_loss_and_gradients_are_those_of_the_definition(kind: DecisionKind, way: str) -> None:
    lm = adapted(way)
    targets = LabelTargets(kind, LABELS if kind != "score" else ())
    spec = LabelHeadSpec(decisions=DecisionSpec(kind=kind))
    method = LabelHead(spec, Setup(lm, chat(), targets=targets))
    method.head.weight.data.copy_(referee.drawn(*method.head.weight.shape, seed=4))
    rows = [
        replace(row, columns={LABEL_COLUMN: due})
        for row, due in zip(prompts(6, 3, 9, 6), DUE[kind], strict=True)
    ]
    model = tiny.tiny_model("llama").double()
    layers = referee.peft_layers(model, lm.adapters)
    model.double()
    head = method.head.weight.detach().double().requires_grad_()
    losses = []
    for row, due in zip(rows, DUE[kind], strict=True):
        ids = torch.tensor([row.sequences[0].input_ids])
        states = model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
        losses.append(true_loss(kind, head @ states[0, -1], due))
    loss = torch.stack(losses).mean()
    loss.backward()
    slopes = referee.peft_gradients(layers)
    assert head.grad is not None
    true = Update(loss.item(), {**slopes, "head 0": head.grad})
    assert_same(update_of(method, lm, rows, WAYS[way]), true)
