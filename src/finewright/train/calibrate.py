"""How fast this machine trains: a few real steps, thrown away."""

import time
from collections.abc import Sequence

import torch

from finewright.lm import runtime
from finewright.lm.batch import Encoded
from finewright.lm.load import load_model
from finewright.lm.lora import add_lora
from finewright.lm.model import LM
from finewright.lm.sources import BaseModel
from finewright.plugins import resolve
from finewright.schema.train import SFTSpec
from finewright.train.loop import make_optimizer, train
from finewright.train.schedule import schedule_of

_WARM_UP_STEPS = 2


def tokens_per_second(
    base: BaseModel, spec: SFTSpec, rows: Sequence[Encoded], *, seconds: float
) -> float:
    """Tokens a second over about `seconds` of steps, after two that warm up. The model is discarded."""
    assert spec.dtype != "auto"
    torch.set_num_threads(spec.threads or runtime.physical_cores())
    model = load_model(base, dtype=spec.dtype, place=False)
    lm = LM(model, add_lora(model, spec.adapter, seed=spec.seed, device=runtime.device()))
    if spec.memory == "lean":
        lm.recompute()
    method = resolve("method", spec.method)()
    optimizer = make_optimizer(lm, method, weight_decay=spec.weight_decay)
    tokens, started = 0, 0.0
    schedule = schedule_of(spec, [row.num_tokens for row in rows])
    limit = spec.micro_batch_tokens
    for step in train(lm, method, rows, schedule, optimizer, micro_batch_tokens=limit):
        if step.step == _WARM_UP_STEPS:
            started = time.perf_counter()
        elif step.step > _WARM_UP_STEPS:
            tokens += step.tokens
            if time.perf_counter() - started >= seconds:
                break
    return tokens / (time.perf_counter() - started)
