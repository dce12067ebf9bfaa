"""The plan of a run as pure functions of its numbers: which rows a step sees, and its learning rate.

A step's rows depend on the seed and the step alone, so a run that was cut continues with exactly the
rows it would have seen."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from finewright.schema.train import TrainSettings


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
    # with a token budget: the rows of each batch, as a range of positions in the order of all epochs
    ranges: tuple[tuple[int, int], ...] | None = None

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
        first = step * self.gradient_accumulation
        ranges = [
            self._range(number) for number in range(first, first + self.gradient_accumulation)
        ]
        return [[self._row_at(p) for p in range(*ends)] for ends in ranges if ends[0] < ends[1]]

    def _range(self, batch: int) -> tuple[int, int]:
        """The positions of a batch; empty past the end of the run."""
        if self.ranges is not None:
            return self.ranges[batch] if batch < len(self.ranges) else (0, 0)
        start = batch * self.batch_size
        return start, min(start + self.batch_size, self.total_rows)

    def step_seed(self, step: int) -> int:
        """Seed of everything random inside a step."""
        return random.Random(f"{self.seed}/{step}").getrandbits(63)  # noqa: S311 - not a secret

    def _row_at(self, position: int) -> int:
        return row_at(self.num_rows, self.seed, position)


def schedule_of(spec: TrainSettings, lengths: Sequence[int]) -> Schedule:
    """The steps that resolved settings make of rows of these lengths in tokens: by epochs, or by
    `max_steps` if given.

    There is no padding, so rows need no sorting by length; with `batch_tokens` a batch takes the next
    rows of the shuffled order while they fit, and at least one."""
    assert spec.learning_rate is not None
    per_step = spec.batch_size * spec.gradient_accumulation
    ranges = None
    if spec.batch_tokens is not None:
        ranges = tuple(_fill_batches(spec, lengths))
        total = ranges[-1][1]
        steps = math.ceil(len(ranges) / spec.gradient_accumulation)
    elif spec.max_steps is not None:
        steps, total = spec.max_steps, spec.max_steps * per_step
    else:
        total, steps = _rows_of_epochs(spec, len(lengths)), count_steps(spec, len(lengths))
    return Schedule(
        num_rows=len(lengths),
        total_rows=total,
        steps=steps,
        batch_size=spec.batch_size,
        gradient_accumulation=spec.gradient_accumulation,
        learning_rate=spec.learning_rate,
        warmup_steps=math.ceil(spec.warmup_ratio * steps),
        lr_scheduler=spec.lr_scheduler,
        seed=spec.seed,
        ranges=ranges,
    )


def count_steps(spec: TrainSettings, num_rows: int) -> int:
    """The optimiser's steps over so many rows, or units; not for `batch_tokens`, where lengths decide."""
    if spec.max_steps is not None:
        return spec.max_steps
    return math.ceil(
        _rows_of_epochs(spec, num_rows) / (spec.batch_size * spec.gradient_accumulation)
    )


def _rows_of_epochs(spec: TrainSettings, num_rows: int) -> int:
    return max(1, math.ceil(spec.epochs * num_rows))


def _fill_batches(spec: TrainSettings, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of positions whose rows hold at most `batch_tokens` tokens, or one longer row."""
    assert spec.batch_tokens is not None
    most = None if spec.max_steps is None else spec.max_steps * spec.gradient_accumulation
    last = _rows_of_epochs(spec, len(lengths)) if most is None else math.inf
    start = position = tokens = batches = 0
    while position < last and batches != most:
        row = row_at(len(lengths), spec.seed, position)
        if position > start and tokens + lengths[row] > spec.batch_tokens:
            yield start, position
            start, tokens, batches = position, 0, batches + 1
        else:
            tokens += lengths[row]
            position += 1
    if batches != most:
        yield start, position


def row_at(num_rows: int, seed: int, position: int) -> int:
    """The row at a position of the order that runs through all epochs, each shuffled anew."""
    epoch, offset = divmod(position, num_rows)
    return _epoch_order(num_rows, seed, epoch)[offset]


@lru_cache(maxsize=2)
def _epoch_order(num_rows: int, seed: int, epoch: int) -> list[int]:
    order = list(range(num_rows))
    random.Random(f"{seed}/order/{epoch}").shuffle(order)  # noqa: S311 - not a secret
    return order
