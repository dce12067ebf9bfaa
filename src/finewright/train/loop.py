"""The one training loop: batches, loss, clip, step. It knows nothing of methods, adapters or families."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from finewright.lm.batch import Example
from finewright.lm.model import LM
from finewright.train.optimizer import Optimizer
from finewright.train.schedule import Schedule


class Batch(Protocol):
    """What a method computes its loss on, all at once."""

    @property
    def num_tokens(self) -> int:
        """Tokens that run through the model."""
        ...

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss."""
        ...


class Method(Protocol):
    """What to learn from, and the loss on it.

    A method may keep state from step to step (PPO's adaptive price of KL); what `state` gives goes into
    the checkpoint, and `restore` takes it back."""

    def prepare(self, lm: LM, steps: Iterator[Sequence[Example]], max_tokens: int | None) -> None:
        """Compute what must be known before training, of the rows of each step to come."""
        ...

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[Any]]:
        """What one step learns: for each optimiser update its batches, of at most `max_tokens` tokens each
        where rows can be parted. Offline methods have one update; online ones first sample answers."""
        ...

    def loss(self, lm: LM, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The mean loss of a batch, and what else is worth a look."""
        ...

    def weight(self, batch: Any) -> float:
        """What the batch counts in a mean over several batches."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """Trained parameters beyond the adapter's."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What decides the next step beside the trained parameters."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `step` counts from 1; `loss` is the mean over the step's batches, and of its updates
    when there are several."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    trained_tokens: int
    seconds: float
    metrics: dict[str, float]


def train(  # noqa: PLR0913 - the parts of a run, by name
    lm: LM,
    method: Method,
    rows: Sequence[Example],
    schedule: Schedule,
    optimizer: Optimizer,
    *,
    start_step: int = 0,
    max_grad_norm: float = 1.0,
    micro_batch_tokens: int | None = None,
) -> Iterator[Step]:
    """Run the steps from `start_step` on, yielding after each; the caller logs, saves and stops.

    The loss of a step is the mean over all that is learned in it, however it is split into accumulation
    parts or into parts of `micro_batch_tokens`. Raises FloatingPointError when the loss is not finite."""
    for step in range(start_step, schedule.steps):
        started = time.perf_counter()
        seed = schedule.step_seed(step)
        torch.manual_seed(seed)
        learning_rate = schedule.learning_rate_at(step)
        optimizer.set_learning_rate(learning_rate)
        lm.model.train()
        done = _Done()
        updates = method.updates(lm, rows_of_step(schedule, rows, step), micro_batch_tokens, seed)
        for batches in updates:
            loss, metrics = _accumulate(lm, method, batches)
            norm = optimizer.clip(max_grad_norm)
            if not torch.isfinite(norm):
                raise FloatingPointError(
                    f"step {step + 1}: loss {loss}, gradient norm {norm.item()}"
                )
            optimizer.step()
            done.add(loss, float(norm), batches, metrics)
        yield Step(
            step=step + 1,
            loss=done.loss / done.updates,
            learning_rate=learning_rate,
            grad_norm=done.grad_norm / done.updates,
            tokens=done.tokens,
            trained_tokens=done.trained_tokens,
            seconds=time.perf_counter() - started,
            metrics={name: value / done.updates for name, value in done.metrics.items()},
        )


def rows_of_step(schedule: Schedule, rows: Sequence[Example], step: int) -> list[Example]:
    """The rows that a step sees, of all its accumulation parts."""
    return [rows[i] for numbers in schedule.batches_of(step) for i in numbers]


class _Done:
    """Sums over the updates of a step."""

    def __init__(self) -> None:
        self.updates = self.tokens = self.trained_tokens = 0
        self.loss = self.grad_norm = 0.0
        self.metrics: dict[str, float] = {}

    def add(
        self, loss: float, norm: float, batches: Sequence[Batch], metrics: Mapping[str, float]
    ) -> None:
        self.updates += 1
        self.loss += loss
        self.grad_norm += norm
        self.tokens += sum(batch.num_tokens for batch in batches)
        self.trained_tokens += sum(batch.num_trained for batch in batches)
        for name, value in metrics.items():
            self.metrics[name] = self.metrics.get(name, 0.0) + value


def _accumulate(
    lm: LM, method: Method, batches: Sequence[Batch]
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
def held_out(
    lm: LM, method: Method, rows: Sequence[Example], *, batch_size: int, max_tokens: int | None
) -> tuple[float, dict[str, float]]:
    """The loss and the metrics over held-out rows, without learning."""
    lm.model.eval()
    total = weights = 0.0
    metrics: dict[str, float] = {}
    for start in range(0, len(rows), batch_size):
        (batches, *_) = method.updates(lm, rows[start : start + batch_size], max_tokens, start)
        for batch in batches:
            weight = method.weight(batch)
            loss, extra = method.loss(lm, batch)
            total += weight * float(loss)
            weights += weight
            for name, value in extra.items():
                metrics[name] = metrics.get(name, 0.0) + weight * value
    return total / weights, {name: value / weights for name, value in metrics.items()}
