"""The one training loop: batches, loss, clip, step. It knows nothing of methods, adapters or families."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from finewright.lm.batch import Encoded, Packed, split
from finewright.lm.model import LM
from finewright.train.schedule import Schedule


class Method(Protocol):
    """What to learn from, and the loss on it."""

    def batches(self, lm: LM, rows: Sequence[Encoded]) -> Iterator[Packed]:
        """The batches that these rows give: offline methods one, online methods their rollouts."""
        ...

    def loss(self, lm: LM, batch: Packed) -> tuple[Tensor, dict[str, float]]:
        """The mean loss of a batch, and what else is worth a look."""
        ...

    def weight(self, batch: Packed) -> float:
        """What the batch counts in a mean over several batches."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """Trained parameters beyond the adapter's."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """What one optimiser step did. `step` counts from 1; `loss` is the mean over the step's batches."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    trained_tokens: int
    seconds: float
    metrics: dict[str, float]


def make_optimizer(lm: LM, method: Method, *, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) over the adapter and the method's heads."""
    parameters = [*lm.parameters(), *method.parameters()]
    return torch.optim.AdamW(parameters, lr=0.0, weight_decay=weight_decay, fused=True)


def train(  # noqa: PLR0913 - the parts of a run, by name
    lm: LM,
    method: Method,
    rows: Sequence[Encoded],
    schedule: Schedule,
    optimizer: torch.optim.AdamW,
    *,
    start_step: int = 0,
    max_grad_norm: float = 1.0,
    micro_batch_tokens: int | None = None,
) -> Iterator[Step]:
    """Run the steps from `start_step` on, yielding after each; the caller logs, saves and stops.

    The loss of a step is the mean over all learned tokens of its batches, however they are split
    into accumulation parts or into parts of `micro_batch_tokens`. Raises FloatingPointError when the
    loss is not finite."""
    lm.model.train()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for step in range(start_step, schedule.steps):
        started = time.perf_counter()
        torch.manual_seed(schedule.step_seed(step))
        learning_rate = schedule.learning_rate_at(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        batches = [
            batch
            for numbers in schedule.batches_of(step)
            for part in split([rows[i] for i in numbers], micro_batch_tokens)
            for batch in method.batches(lm, part)
        ]
        loss, metrics = _accumulate(lm, method, batches)
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        if not torch.isfinite(norm):
            raise FloatingPointError(f"step {step + 1}: loss {loss}, gradient norm {norm.item()}")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield Step(
            step=step + 1,
            loss=loss,
            learning_rate=learning_rate,
            grad_norm=float(norm),
            tokens=sum(batch.num_tokens for batch in batches),
            trained_tokens=sum(batch.num_trained for batch in batches),
            seconds=time.perf_counter() - started,
            metrics=metrics,
        )


def _accumulate(
    lm: LM, method: Method, batches: Sequence[Packed]
) -> tuple[float, dict[str, float]]:
    """Backward over all batches, each weighted by its share; the mean loss and mean metrics."""
    total = sum(method.weight(batch) for batch in batches)
    loss_sum = 0.0
    metrics: dict[str, float] = {}
    for batch in batches:
        share = method.weight(batch) / total
        loss, extra = method.loss(lm, batch)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        loss_sum += share * float(loss.detach())
        for name, value in extra.items():
            metrics[name] = metrics.get(name, 0.0) + share * value
    return loss_sum, metrics


@torch.no_grad()
def mean_loss(lm: LM, method: Method, rows: Sequence[Encoded], *, batch_size: int) -> float:
    """The loss over held-out rows, without learning."""
    lm.model.eval()
    total = weights = 0.0
    for start in range(0, len(rows), batch_size):
        for batch in method.batches(lm, rows[start : start + batch_size]):
            weight = method.weight(batch)
            total += weight * float(method.loss(lm, batch)[0])
            weights += weight
    return total / weights
