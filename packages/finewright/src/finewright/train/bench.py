"""What `bench` measures: training steps that nobody keeps, and the matrix products the machine can do."""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import torch

from finewright.lm import runtime
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.train import TrainSettings
from finewright.train.loop import TrainStep, rows_of_step, train
from finewright.train.methods.setup import Setup, method_of
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer

_GEMM_SIDE = 2048
_GEMM_TRIES = 8
# Every vocabulary has these; which tokens they are changes nothing in the work.
_TOKENS = range(256)
_LEARNED_SHARE = 0.6


def trial_steps(lm: LM, spec: TrainSettings, rows: Sequence[Example]) -> Iterator[TrainStep]:
    """Steps as `train` takes them, what the base gives to the rows first; the adapter is not kept."""
    method = method_of(spec, Setup(lm))
    fitted = spec.model_copy(update={"batch_size": min(spec.batch_size, len(rows))})
    schedule = schedule_of(fitted, [row.num_tokens for row in rows])
    first = (rows_of_step(schedule, rows, step) for step in range(len(rows)))
    lm.model.train()
    method.prepare(lm, first, spec.micro_batch_tokens)
    optimizer = make_optimizer(lm, method, weight_decay=spec.weight_decay)
    try:
        yield from train(
            lm,
            method,
            rows,
            schedule,
            optimizer,
            max_grad_norm=spec.max_grad_norm,
            micro_batch_tokens=spec.micro_batch_tokens,
        )
    finally:  # the next steps on this model have an optimizer of their own
        optimizer.let_go()


def synthetic_rows(count: int, *, max_length: int, seed: int = 0) -> list[Example]:
    """Rows of random tokens; half are shorter than about 250 tokens, few are long, as in chat data."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    lengths = (round(rng.lognormvariate(5.5, 0.7)) for _ in range(count))
    return [synthetic_row(max(8, min(max_length, length)), rng) for length in lengths]


def synthetic_row(length: int, rng: random.Random) -> Example:
    """A row of random tokens of which the last three fifths are learned."""
    prompt = round((1 - _LEARNED_SHARE) * length)
    ids = tuple(rng.choices(_TOKENS, k=length))
    row = EncodedRow(ids, (False,) * prompt + (True,) * (length - prompt))
    return Example((row,))


def gemm_gflops(dtype: Literal["bf16", "fp32"]) -> float:
    """GFLOP/s of a product of two square matrices of side 2048, the best of a few tries."""
    device, kind = runtime.device(), runtime.dtype_of(dtype)
    left, right = (torch.randn(_GEMM_SIDE, _GEMM_SIDE, device=device).to(kind) for _ in range(2))
    seconds = min(_seconds_of_product(left, right) for _ in range(_GEMM_TRIES))
    return 2 * _GEMM_SIDE**3 / seconds / 1e9


def _seconds_of_product(left: torch.Tensor, right: torch.Tensor) -> float:
    started = time.perf_counter()
    product = torch.mm(left, right)
    if product.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started
