"""The one training loop: batches, loss, clip, step. It knows nothing of methods, adapters or families."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.train.optimizer import Optimizer
from finewright.train.ranks import ALONE, Ranks
from finewright.train.schedule import Schedule

_LOSS, _NORM = " loss", " norm"  # no metric is called so


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
class TrainStep:
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
    ranks: Ranks = ALONE,
) -> Iterator[TrainStep]:
    """Run the steps from `start_step` on, yielding after each; the caller logs, saves and stops.

    The loss of a step is the mean over all that is learned in it, however it is split into accumulation
    parts, into parts of `micro_batch_tokens` or over `ranks`. Raises FloatingPointError when the loss is not
    finite."""
    for step in range(start_step, schedule.steps):
        started = time.perf_counter()
        seed = schedule.step_seed(step)
        torch.manual_seed(seed + ranks.number)  # dropout drops other units on each rank
        learning_rate = schedule.learning_rate_at(step)
        optimizer.set_learning_rate(learning_rate)
        lm.model.train()
        done, tokens, trained_tokens = Means(), 0, 0
        updates = method.updates(lm, rows_of_step(schedule, rows, step), micro_batch_tokens, seed)
        for batches in updates:
            loss, metrics = _accumulate(lm, method, batches, ranks)
            optimizer.sum_gradients(ranks)
            norm = float(optimizer.clip(max_grad_norm, ranks))
            if not math.isfinite(norm):
                raise FloatingPointError(f"step {step + 1}: loss {loss}, gradient norm {norm}")
            optimizer.step()
            done.add({**metrics, _LOSS: loss, _NORM: norm})
            tokens += sum(batch.num_tokens for batch in batches)
            trained_tokens += sum(batch.num_trained for batch in batches)
        means = done.values()
        tokens, trained_tokens = map(int, ranks.sums((tokens, trained_tokens)))
        yield TrainStep(
            step=step + 1,
            loss=means.pop(_LOSS),
            learning_rate=learning_rate,
            grad_norm=means.pop(_NORM),
            tokens=tokens,
            trained_tokens=trained_tokens,
            seconds=time.perf_counter() - started,
            metrics=means,
        )


def rows_of_step(schedule: Schedule, rows: Sequence[Example], step: int) -> list[Example]:
    """The rows that a step sees, of all its accumulation parts."""
    return [rows[i] for numbers in schedule.batches_of(step) for i in numbers]


class Means:
    """Weighted means by name, of values that need not be there each time."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}

    def add(self, values: Mapping[str, float], weight: float = 1.0) -> None:
        """Count these values with this weight."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * value
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def over(self, ranks: Ranks) -> "Means":
        """The same of what all ranks counted."""
        if ranks.size == 1:
            return self
        whole = Means()
        for sums, weights in ranks.gather([self._sums, self._weights]):
            for name, total in sums.items():
                whole._sums[name] = whole._sums.get(name, 0.0) + total
                whole._weights[name] = whole._weights.get(name, 0.0) + weights[name]
        return whole

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self._weights[name] for name, total in self._sums.items()}


def _accumulate(
    lm: LM, method: Method, batches: Sequence[Batch], ranks: Ranks
) -> tuple[float, dict[str, float]]:
    """Backward over all batches, each weighted by its share of all ranks' batches; the mean loss and mean
    metrics of those."""
    total = ranks.sum(sum(method.weight(batch) for batch in batches))
    loss_sum, means = 0.0, Means()
    for batch in ranks.each_pass(lm, batches):
        share = method.weight(batch) / total
        loss, metrics = method.loss(lm, batch)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        loss_sum += share * float(loss.detach())
        means.add(metrics, share)
    if ranks.size > 1:
        means.add({_LOSS: loss_sum})
        found = means.over(ranks).values()
        return ranks.size * found.pop(_LOSS), found
    return loss_sum, means.values()


@torch.no_grad()
def measure_held_out_loss(
    lm: LM,
    method: Method,
    rows: Sequence[Example],
    *,
    batch_size: int,
    max_tokens: int | None,
    ranks: Ranks = ALONE,
) -> tuple[float, dict[str, float]]:
    """The loss and the metrics over held-out rows, without learning."""
    lm.model.eval()
    means = Means()
    for start in range(0, len(rows), batch_size):
        batches = next(
            iter(method.updates(lm, rows[start : start + batch_size], max_tokens, start))
        )
        for batch in ranks.each_pass(lm, batches):
            loss, metrics = method.loss(lm, batch)
            means.add({_LOSS: float(loss), **metrics}, method.weight(batch))
    found = means.over(ranks).values()
    return found.pop(_LOSS), found
