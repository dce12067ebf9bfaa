"""The loop of a private training: DP-SGD over LoRA (Abadi et al. 2016, arXiv:1607.00133).

    g = (sum over drawn units of g_u min(1, C / |g_u|) + sigma C N(0, 1)) / expected units

g_u is the gradient of the mean loss of the unit's rows, C the clipping norm. The divisor is what a step draws
on average, whatever it drew: no noise would cover the number that it drew. AdamW, which takes g as any other
gradient, spends nothing more. Losses and metrics of the log are of the rows as they are, without noise."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from finewright.lm.batch import PackedBatch, split
from finewright.lm.by_sample import SampleGradients, gradients_by_sample
from finewright.lm.model import LM
from finewright.train.loop import Means, TrainStep
from finewright.train.optimizer import Optimizer
from finewright.train.privacy.noise import Chance
from finewright.train.privacy.planned import PrivatePlan
from finewright.train.privacy.units import Unit
from finewright.train.schedule import Schedule

_KEPT_BYTES = 1 << 28
"""Gradients of units that are held at once: 13 of SmolLM2 135M at r = 16, some 1,000 tokens of chat rows."""


class ByRow(Protocol):
    """A method whose loss is a mean over rows, each of which adds what its own tokens say."""

    def batch(self, lm: LM, rows: Sequence[Any]) -> Any:
        """The rows as one batch."""
        ...

    def row_losses(self, lm: LM, batch: Any, rows: Sequence[Any]) -> Tensor:
        """The loss of each row of a batch, (rows,)."""
        ...


def train_private(  # noqa: PLR0913 - the parts of a run, by name
    lm: LM,
    method: ByRow,
    plan: PrivatePlan,
    chance: Chance,
    schedule: Schedule,
    optimizer: Optimizer,
    *,
    start_step: int = 0,
    micro_batch_tokens: int | None = None,
) -> Iterator[TrainStep]:
    """Run the steps from `start_step` on, yielding after each, as `loop.train` does.

    The loss of a step that draws no unit is that of the first unit, of which nothing is learned then.
    Raises FloatingPointError when a gradient is not finite."""
    for step in range(start_step, schedule.steps):
        started = time.perf_counter()
        learning_rate = schedule.learning_rate_at(step)
        optimizer.set_learning_rate(learning_rate)
        lm.model.train()
        numbers = chance.units(step, len(plan.units), plan.mechanism.rate)
        units = [plan.units[number] for number in numbers]
        found = clip_and_sum(
            lm, method, _parts(lm, units, micro_batch_tokens), plan.spent.max_grad_norm
        )
        norm = _add_noise(optimizer, plan, chance, step)
        optimizer.step()
        yield TrainStep(
            step=step + 1,
            loss=found["loss"] if units else _loss(lm, method, plan.units[0]),
            learning_rate=learning_rate,
            grad_norm=norm,
            tokens=sum(unit.num_tokens for unit in units),
            trained_tokens=sum(row.num_trained for unit in units for row in unit.rows),
            seconds=time.perf_counter() - started,
            metrics={"units": float(len(units)), "clipped": found.get("clipped", 0.0)},
        )


def clip_and_sum(
    lm: LM, method: ByRow, parts: Sequence[Sequence[Unit]], max_grad_norm: float
) -> dict[str, float]:
    """Give the parameters the sum of the units' clipped gradients; the mean loss and the share that was
    clipped, of the units there are.

    Raises FloatingPointError when a gradient is not finite."""
    sums: dict[Tensor, Tensor] = {p: torch.zeros_like(p) for p in lm.parameters()}
    means = Means()
    for units in parts:
        losses, gradients = _unit_gradients(lm, method, units)
        norms = gradients.squared_norms().sqrt()
        if not norms.isfinite().all():
            raise FloatingPointError(f"gradient norms of units: {norms.tolist()}")
        for parameter, each in gradients.weighted_sum((max_grad_norm / norms).clamp(max=1)).items():
            sums[parameter] += each
        clipped = (norms > max_grad_norm).float().mean()
        means.add({"loss": float(losses.mean()), "clipped": float(clipped)}, len(units))
    for parameter, total in sums.items():
        parameter.grad = total
    return means.values()


def _unit_gradients(lm: LM, method: ByRow, units: Sequence[Unit]) -> tuple[Tensor, SampleGradients]:
    """The loss of each unit, the mean over its rows, and its gradient."""
    rows = [row for unit in units for row in unit.rows]
    batch = method.batch(lm, rows)
    packed = batch if isinstance(batch, PackedBatch) else batch.packed
    sizes = torch.tensor([len(unit.rows) for unit in units], device=lm.device)
    unit_of = torch.arange(len(units), device=lm.device).repeat_interleave(sizes)
    losses = torch.zeros(len(units), device=lm.device)

    def loss() -> Tensor:
        nonlocal losses
        summed = losses.index_add(0, unit_of, method.row_losses(lm, batch, rows))
        losses = summed / sizes
        return losses.sum()

    counts = [sum(len(row.sequences) for row in unit.rows) for unit in units]
    gradients = gradients_by_sample(lm, packed, counts, loss)
    return losses.detach(), gradients


@torch.no_grad()
def _loss(lm: LM, method: ByRow, unit: Unit) -> float:
    return float(method.row_losses(lm, method.batch(lm, unit.rows), unit.rows).mean())


def _parts(lm: LM, units: Sequence[Unit], max_tokens: int | None) -> list[list[Unit]]:
    """Units that are computed at once: by their tokens, and by the room that their gradients take."""
    most = max(1, _KEPT_BYTES // sum(4 * p.numel() for p in lm.parameters()))
    return [
        part[start : start + most]
        for part in split(units, max_tokens)
        for start in range(0, len(part), most)
    ]


def _add_noise(optimizer: Optimizer, plan: PrivatePlan, chance: Chance, step: int) -> float:
    """Add it to the gradients, which become a mean over the expected units; their norm."""
    deviation = plan.mechanism.sigma * plan.spent.max_grad_norm
    noises = chance.noise(step, [p.shape for p in optimizer.parameters])
    squared: float = 0.0
    for parameter, noise in zip(optimizer.parameters, noises, strict=True):
        assert parameter.grad is not None
        parameter.grad.add_(noise.to(parameter.device), alpha=deviation)
        parameter.grad.div_(plan.expected_units)
        squared += float(parameter.grad.square().sum())
    return math.sqrt(squared)
