"""What each sample of a packed row does to a LoRA adapter: its gradient, or the gradient's norm.

Exact, in one forward and one backward over all samples (fast/factors.py). What privacy clips, and what tells
which rows made a model say something."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.batch import PackedBatch, bounds_of
from finewright.lm.example import EncodedRow
from finewright.lm.fast.factors import SampleGradients, SampleNorms, Samples, using
from finewright.lm.model import LM
from finewright.lm.probe import probe_rows

__all__ = ["SampleGradients", "gradients_by_sample", "norms_by_sample", "refuse_mixed"]

Kind = TypeVar("Kind", bound=Samples)
_APART = 0.2  # rounding gives 0.05 at most; rows that are mixed up are apart by their own norm


def gradients_by_sample(
    lm: LM, batch: PackedBatch, counts: Sequence[int], loss: Callable[[], Tensor]
) -> SampleGradients:
    """The gradient of each sample's part in `loss`, of samples with `counts` sequences of the batch each.

    `loss` runs the model on the batch once, and is a sum of one term for each sample, which depends on the
    sample's own tokens alone. Raises ModelError where an adapter's gradients cannot be told apart: DoRA,
    PiSSA, dropout, and whatever is no LoRA."""
    return _take_gradients(lm, SampleGradients(bounds_of(batch, counts)), loss)


def norms_by_sample(
    lm: LM, batch: PackedBatch, counts: Sequence[int], loss: Callable[[], Tensor]
) -> Tensor:
    """The norms of these gradients (samples,), without keeping one.

    Raises ModelError as `gradients_by_sample` does, and where layers share an adapter (Zamba2)."""
    return _take_gradients(
        lm, SampleNorms(bounds_of(batch, counts), lm.device), loss
    ).squared.sqrt()


def refuse_mixed(lm: LM) -> None:
    """Raise ModelError where two short rows' gradients are others together than alone, as for a layer that
    sees rows in another order. In bfloat16 they part by some per cent."""
    rows = probe_rows(lm.model)
    together = _of(lm, rows)
    for number, row in enumerate(rows):
        alone = _of(lm, [row])
        true = torch.cat([each[0].flatten() for each in alone.of.values()])
        found = torch.cat([together.of[factor][number].flatten() for factor in alone.of])
        if not (found - true).norm() <= _APART * true.norm():
            raise ModelError(
                f"{type(lm.model).__name__}: a row's gradient is another beside other rows than alone",
                hint="train.privacy cannot hold for this model; leave it out, or choose another base model",
            )


def _of(lm: LM, rows: Sequence[EncodedRow]) -> SampleGradients:
    batch = lm.pack([[row] for row in rows])
    return gradients_by_sample(lm, batch, [1] * len(rows), lambda: -lm.token_logps(batch).sum())


def _take_gradients(lm: LM, samples: Kind, loss: Callable[[], Tensor]) -> Kind:
    parameters = lm.parameters()
    assert all(p.grad is None for p in parameters)
    with using(samples):
        loss().backward()  # type: ignore[no-untyped-call]
    if any(p.grad is not None for p in parameters):
        for p in parameters:
            p.grad = None
        raise ModelError(
            "gradients cannot be told apart by rows: this adapter is not a plain LoRA",
            hint="set train.adapter.type to lora, without use_dora and dropout",
        )
    return samples
