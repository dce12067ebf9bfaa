"""The plan of a run as pure functions of its numbers: which rows a step sees, and its learning rate.

A step's rows depend on the seed and the step alone, so a run that was cut continues with exactly the
rows it would have seen."""

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from finewright.schema.train import SFTSpec


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything the loop needs to know about its steps."""

    num_rows: int
    total_rows: int
    steps: int
    batch_size: int
    gradient_accumulation: int
    learning_rate: float
    warmup_steps: int
    lr_scheduler: Literal["cosine", "linear", "constant"]
    seed: int

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ...: linear warm-up, then the chosen shape towards zero."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / (self.warmup_steps + 1)
        if self.lr_scheduler == "constant":
            return self.learning_rate
        left = max(1, self.steps - self.warmup_steps)
        done = (step - self.warmup_steps) / left
        if self.lr_scheduler == "linear":
            return self.learning_rate * (1 - done)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def batches_of(self, step: int) -> list[list[int]]:
        """Row numbers of each batch of a step, in order; the last step of a run may be short."""
        per_step = self.batch_size * self.gradient_accumulation
        start, end = step * per_step, min((step + 1) * per_step, self.total_rows)
        rows = [self._row_at(position) for position in range(start, end)]
        return [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]

    def step_seed(self, step: int) -> int:
        """Seed of everything random inside a step."""
        return random.Random(f"{self.seed}/{step}").getrandbits(63)  # noqa: S311 - not a secret

    def _row_at(self, position: int) -> int:
        epoch, offset = divmod(position, self.num_rows)
        return _epoch_order(self.num_rows, self.seed, epoch)[offset]


def schedule_of(spec: SFTSpec, num_rows: int) -> Schedule:
    """The steps that resolved settings make of that many rows: by epochs, or by `max_steps` if given."""
    assert spec.learning_rate is not None
    per_step = spec.batch_size * spec.gradient_accumulation
    if spec.max_steps is not None:
        steps, total = spec.max_steps, spec.max_steps * per_step
    else:
        total = max(1, math.ceil(spec.epochs * num_rows))
        steps = math.ceil(total / per_step)
    return Schedule(
        num_rows=num_rows,
        total_rows=total,
        steps=steps,
        batch_size=spec.batch_size,
        gradient_accumulation=spec.gradient_accumulation,
        learning_rate=spec.learning_rate,
        warmup_steps=math.ceil(spec.warmup_ratio * steps),
        lr_scheduler=spec.lr_scheduler,
        seed=spec.seed,
    )


@lru_cache(maxsize=2)
def _epoch_order(num_rows: int, seed: int, epoch: int) -> list[int]:
    order = list(range(num_rows))
    random.Random(f"{seed}/order/{epoch}").shuffle(order)  # noqa: S311 - not a secret
    return order
