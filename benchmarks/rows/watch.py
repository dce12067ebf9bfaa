"""For the peers that train through transformers' Trainer: the seconds and the loss of each step."""

import time
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback


class Watch(TrainerCallback):  # type: ignore[misc] # transformers is not type-checked
    """Seconds of each step, without what the Trainer does between steps, and its loss."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.started = time.perf_counter()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self.started)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def keep_order(trainer: Trainer) -> None:
    """Take the rows as they come, so that every peer sees the same batches."""
    trainer._get_train_sampler = lambda *_: SequentialSampler(trainer.train_dataset)
