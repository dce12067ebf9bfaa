"""How long a step of another framework takes on one GPU: arithmetic, and what plain torch reads and writes.

    seconds = FLOPs / (U x rate) + attention's FLOPs / (A x rate) + bytes / bandwidth + L x start

Bytes are those of elementwise operations that nothing fuses: of norms, rotation and gated products, of the
logits' softmax, of each adapter's small products, of quantised weights that are written out again, and of
AdamW where all weights learn. A head kept in float32 runs on the units for that, and so does everything with
`dtype: fp32`, by the head's share of the float32 rate: of such steps none was published.

The shares were chosen on the half of the published steps that is called `chosen` in
benchmarks/published_training/training.csv, and are compared on the other half by
`python benchmarks/estimator.py --published`; a T4 runs in float16, as everybody runs it."""

from finewright.estimate.shape import ModelShape
from finewright.schema.catalog import GPU
from finewright.schema.cost import Range, TrainingWork
from finewright_advice.estimate.frameworks import Framework
from finewright_advice.estimate.memory import MemoryLoad

_DENSE, _ATTENTION, _FLOAT32 = 1 / 2.2, 0.2, 1 / 1.4
_ELEMENTWISE, _SOFTMAX, _ADAPTERS = 17, 160, 240
_UPCAST = 380  # of the hidden numbers in float32, a layer
_DEQUANTIZED = 4
_START_SECONDS = 1.7e-3
_ADAMW_BYTES = 80
_SPREAD = Range(low=1 / 1.4, median=1.0, high=1.4)


def step_seconds(shape: ModelShape, load: MemoryLoad, framework: Framework, gpu: GPU) -> float:
    """Seconds of one step of this load."""
    quantized = load.is_quantized
    rate, bandwidth = gpu.training_tflops * 1e12, gpu.memory_bandwidth_gb_s * 1e9
    narrow = _FLOAT32 * gpu.float32_tflops * 1e12
    products = _DENSE * rate if load.rounds else narrow
    again = not framework.keeps_layers(load)
    tokens, words = load.tokens, shape.vocabulary * shape.hidden
    passes = (6 if load.is_full else 4) + 2 * again
    dense = tokens * passes * (shape.computing - words)
    head = tokens * (6 if load.is_full else 4) * words
    upcast = quantized and framework.upcasts
    attention = tokens * (7 + 2 * again) * shape.attention * load.longest / 2
    seconds = attention / min(_ATTENTION * rate, products) + dense / products
    seconds += head / (narrow if upcast else products)
    seconds += _count_moved_bytes(shape, load, upcast=upcast, quantized=quantized) / bandwidth
    return seconds + shape.num_layers * _START_SECONDS


def _count_moved_bytes(
    shape: ModelShape, load: MemoryLoad, *, upcast: bool, quantized: bool
) -> float:
    """Bytes that a step reads and writes beside its products."""
    number = 4 if upcast else load.number
    moved = _SOFTMAX * shape.vocabulary
    for kind in shape.layers:
        inner = kind.active_inner
        numbers = 10 * shape.hidden + 6 * inner + 4 * shape.heads * shape.key_width
        moved += kind.count * number * _ELEMENTWISE * numbers
        moved += kind.count * (_UPCAST * shape.hidden if upcast else 0)
    moved += _ADAPTERS * sum(
        count * (on.inputs + on.outputs) for count, on in shape.on_adapters(load.adapter)
    )
    once = _DEQUANTIZED * shape.linear if quantized else 0
    return load.tokens * moved + once + (_ADAMW_BYTES * shape.parameters if load.is_full else 0)


def framework_hours(
    shape: ModelShape, load: MemoryLoad, framework: Framework, work: TrainingWork, gpu: GPU
) -> Range:
    """Hours of all steps on one GPU."""
    each = step_seconds(shape, load, framework, gpu) / load.tokens
    ends = (work.tokens.low, work.tokens.median, work.tokens.high)
    spread = (_SPREAD.low, _SPREAD.median, _SPREAD.high)
    low, median, high = (t * each * s / 3600 for t, s in zip(ends, spread, strict=True))
    return Range(low=low, median=median, high=high)
