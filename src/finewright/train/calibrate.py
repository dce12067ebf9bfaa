"""How fast this machine trains: a few real steps, thrown away."""

import time
from collections.abc import Sequence

from finewright.lm.batch import Example
from finewright.lm.sources import BaseModel
from finewright.schema.methods import AnyTrainSpec
from finewright.train.bench import steps
from finewright.train.load import load_for_training

_WARM_UP_STEPS = 2


def tokens_per_second(
    base: BaseModel, spec: AnyTrainSpec, rows: Sequence[Example], *, seconds: float
) -> float:
    """Tokens a second over about `seconds` of steps, after two that warm up. The model is discarded."""
    tokens, started = 0, 0.0
    for step in steps(load_for_training(base, spec), spec, rows):
        if step.step == _WARM_UP_STEPS:
            started = time.perf_counter()
        elif step.step > _WARM_UP_STEPS:
            tokens += step.tokens
            if time.perf_counter() - started >= seconds:
                break
    return tokens / (time.perf_counter() - started)
