"""How long training takes: arithmetic over a utilisation that is a prior, or over a speed that was measured.

    model FLOPs a token    4 N frozen, 6 N learned, the head's times the share of learned tokens,
                           + 7 H (d_k + d_v) S / 2 a layer for attention over S tokens, causal
    hardware FLOPs         + 2 N of the layers where they are computed again (`memory: lean`)
    seconds                tokens x FLOPs / (rate x utilisation) + parts x layers x starting their kernels

N of a mixture are the active parameters. A prior is only that: what others report of such work. Steps of the
run itself (`--calibrate`) or runs of the past on this machine take its place."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from finewright.estimate.shape import ModelShape
from finewright.schema.catalog import GPU
from finewright.schema.cost import Range, TrainingWork
from finewright_advice.estimate.memory import MemoryLoad
from finewright_advice.estimate.money import product

_FORWARD, _FROZEN, _LEARNED = 2, 4, 6
_ATTENTION = 7  # two products forward, five backward; half of each is above the diagonal
# Shares of the dense 16-bit rate. Dense: the survey's .30-.40 for LoRA and .25-.30 for QLoRA, widened.
_DENSE = Range(low=0.22, median=0.35, high=0.5)
_QUANTIZED = Range(low=0.18, median=0.27, high=0.38)
_MIXTURE = Range(low=0.06, median=0.15, high=0.3)
# Of the float32 rate, where numbers have 32 bits: of less arithmetic more is reached.
_FLOAT32 = Range(low=0.24, median=0.48, high=0.8)
# Starting the kernels of one layer, forward and backward: small models and batches wait for that.
_START_SECONDS = Range(low=0.4e-3, median=1e-3, high=2.5e-3)
# A speed that was measured on the run's own steps: other rows, a warmer machine.
_DRIFT = 0.1
# Of fewer steps none can be told from a stall.
_FEW = 3


@dataclass(frozen=True, slots=True)
class PastRun:
    """What a finished run took, for the same kind of work on this machine."""

    run: str
    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Its mean speed."""
        return self.tokens / self.seconds


def flops_per_token(shape: ModelShape, load: MemoryLoad, learned_share: float) -> float:
    """What a token costs in arithmetic that the formula asks for; see the module."""
    head = shape.vocabulary * shape.hidden
    inner = shape.computing - head
    on_weights = _LEARNED if load.is_full else _FROZEN
    factors = 0 if load.is_full else _LEARNED * shape.trainable(load.adapter)
    inner_cost = (on_weights + _FORWARD * load.lean) * inner
    attention = _ATTENTION + (_FORWARD if load.lean else 0)
    seen = attention * shape.num_layers * shape.heads * (shape.key_width + shape.value_width)
    return float(inner_cost + on_weights * head * learned_share + factors + seen * load.longest / 2)


def utilisation(shape: ModelShape, load: MemoryLoad, gpu: GPU) -> Range:
    """The share of a GPU's 16-bit rate that such training reaches, before anything was measured; without
    bfloat16 units it is in float32."""
    if gpu.bf16_tflops is None or not load.rounds:
        return product(_FLOAT32, gpu.float32_tflops / gpu.training_tflops)
    if shape.is_mixture:
        return _MIXTURE
    if load.is_quantized:
        return _QUANTIZED
    return _DENSE


def hours_on(gpu: GPU, share: Range, work: TrainingWork, layers: int) -> Range:
    """Hours of steps on one GPU at this utilisation; fetching and loading the model is not in it."""
    rate, starts = gpu.training_tflops * 1e12, work.parts * layers
    tokens, flops, start = work.tokens, work.flops_per_token, _START_SECONDS
    return Range(
        low=(tokens.low * flops / (rate * share.high) + starts * start.low) / 3600,
        median=(tokens.median * flops / (rate * share.median) + starts * start.median) / 3600,
        high=(tokens.high * flops / (rate * share.low) + starts * start.high) / 3600,
    )


def hours_at(tokens: Range, tokens_per_second: Range) -> Range:
    """Hours at a speed."""
    speed = tokens_per_second
    return Range(
        low=tokens.low / speed.high / 3600,
        median=tokens.median / speed.median / 3600,
        high=tokens.high / speed.low / 3600,
    )


def speed_of_steps(tokens: Sequence[int], seconds: Sequence[float]) -> Range:
    """Tokens a second of steps that were timed, for many more such steps.

    One stall of the machine would be a third of three steps: the slowest quarter of the steps is taken to be
    as slow by token as the next one (a Winsorized mean, Dixon 1960). The interval is two standard errors of
    the mean of what a token took, and a drift of a tenth."""
    slowness = sorted(s / t for t, s in zip(tokens, seconds, strict=True))
    slowest = slowness[-1 - max(1, len(slowness) // 4)] if len(slowness) >= _FEW else slowness[-1]
    held = [min(s, slowest * t) for t, s in zip(tokens, seconds, strict=True)]
    mean = sum(tokens) / sum(held)
    error = 0.0
    if len(tokens) > 1:
        each = [t / s for t, s in zip(tokens, seconds, strict=True)]
        error = 2 * statistics.stdev(each) / len(each) ** 0.5
    spread = min(0.9 * mean, error + _DRIFT * mean)
    return Range(low=mean - spread, median=mean, high=mean + spread)


def past_speed(runs: Sequence[PastRun]) -> Range:
    """Tokens a second of runs of the past: the median, and from the slowest to the fastest with a drift."""
    speeds = sorted(run.tokens_per_second for run in runs)
    return Range(
        low=speeds[0] * (1 - _DRIFT),
        median=statistics.median(speeds),
        high=speeds[-1] * (1 + _DRIFT),
    )
