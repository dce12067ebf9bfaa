"""Training that is spread over the GPUs of a machine by FSDP: what each of them holds, and how long it takes.

Every GPU keeps an n-th of weights, gradients and AdamW's moments, gathers the layer it works on and the next
one, and reads its own rows (FSDP: Zhao et al. 2023, arXiv:2304.11277; ZeRO-3: Rajbhandari et al. 2020,
arXiv:1910.02054). This is what transformers with PEFT takes, as TRL, Axolotl and torchtune run it, with
checkpointing; finewright's own processes are in `ranks`. With T tokens on a GPU at once, e bytes a number,
widths d, q, kv, I of a layer and V words:

    weights      the n-th, two layers whole, and embedding and head whole
    activations  e T d a layer, and one layer whole: T (12 d + 2 e (q + kv) + 4 e I), its norms in float32
    head         T V (e + 12): logits, their float32 copy, its shares and their gradient; no chunks
    seconds      FLOPs / (n x rate x share), share = 1 / (a + b x FLOPs a byte of memory); beside them
                 2 W (n - 1) / n bytes through the link for each micro-batch, partly hidden

a, b and the link's share were chosen on twelve published runs (docs/cost.md), so they are a fit; in float32,
of which none was published, the share is that of one GPU."""

from typing import NamedTuple

from finewright.estimate.shape import ModelShape
from finewright.schema.catalog import GPU
from finewright.schema.cost import Range, TrainingWork
from finewright_advice.estimate.memory import MemoryLoad, MemoryUse, memory
from finewright_advice.estimate.time import utilisation

_FLOAT32 = 4
_GATHERED = 2  # the layer at work and the next
_AT_BEST, _BY_BYTES = 0.95, 0.0055
_MOST = 0.8  # of a peak, whatever the formula says of slow GPUs with fast memory
_SPREAD = Range(low=0.6, median=1.0, high=1.25)
LINK_SHARE = Range(low=0.5, median=0.7, high=0.9)


class Spread(NamedTuple):
    """How a run is spread over the GPUs of one machine."""

    gpus: int
    busy: int = 0
    """Those with rows to work on, where a batch has fewer rows than there are GPUs; 0: all."""
    weights: float = 0.0
    """Bytes of the weights that go through the links; 0: as finewright holds them."""


def memory_of_shard(
    shape: ModelShape, load: MemoryLoad, gpus: int, whole: MemoryUse | None = None
) -> MemoryUse:
    """What each of so many GPUs holds; `load` is the micro-batch of one, and `whole` what all of them share:
    finewright's own weights where nobody else's are given."""
    whole = whole or memory(shape, load)
    layers = max(0.0, whole.weights - load.number * shape.embedding)
    wide = layers / shape.num_layers if load.is_full else 0.0
    return whole._replace(
        weights=bytes_of_shard(shape, load, whole.weights, gpus),
        learned=whole.learned / gpus,
        gradients=whole.gradients / gpus + wide,
        activations=_activations(shape, load),
        head=float(load.tokens * shape.vocabulary * (load.number + 3 * _FLOAT32)),
        working=0.0,
        passing=0.0,
        rollouts=0.0,
        accumulates=True,
    )


def bytes_of_shard(shape: ModelShape, load: MemoryLoad, weights: float, gpus: int) -> float:
    """What each of so many GPUs holds of these weights at once: its part, two layers and the words whole."""
    words = load.number * shape.embedding
    return weights / gpus + _GATHERED * max(0.0, weights - words) / shape.num_layers + words


def _activations(shape: ModelShape, load: MemoryLoad) -> float:
    """Checkpoints of all layers, and the largest layer computed again."""
    queries = shape.heads * (shape.key_width + shape.value_width)
    keys = shape.kv_heads * (shape.key_width + shape.value_width)
    widest = 0.0
    for kind in shape.layers:
        inner = kind.active_inner
        each = 3 * _FLOAT32 * shape.hidden + load.number * (queries + keys + 4 * inner)
        widest = max(widest, load.tokens * each)
    return load.number * load.tokens * shape.hidden * shape.num_layers + widest


def hours_of_shards(
    shape: ModelShape,
    load: MemoryLoad,
    work: TrainingWork,
    gpu: GPU,
    spread: Spread,
) -> Range:
    """Hours of steps on so many GPUs of one machine; they wait for each other between some and no overlap.

    Raises ValueError
    for a GPU whose link to others nobody wrote down."""
    if gpu.link_gb_s is None:
        raise ValueError(f"{gpu.name} has no link to others")
    shares = _shares(shape, load, gpu)
    gpus, busy = spread.gpus, spread.busy or spread.gpus
    rate = busy * gpu.training_tflops * 1e12
    parts = max(1.0, work.tokens.median / load.tokens / busy)
    weights = spread.weights or memory(shape, load).weights
    sent = parts * 2 * weights * (gpus - 1) / gpus / (gpu.link_gb_s * 1e9)

    def seconds(tokens: float, share_of_peak: float, share: float, hidden: float) -> float:
        computing = tokens * work.flops_per_token / (rate * share_of_peak)
        sending = sent / share
        return max(computing, sending) + (1 - hidden) * min(computing, sending)

    return Range(
        low=seconds(work.tokens.low, shares.high, LINK_SHARE.high, 1.0) / 3600,
        median=seconds(work.tokens.median, shares.median, LINK_SHARE.median, 0.5) / 3600,
        high=seconds(work.tokens.high, shares.low, LINK_SHARE.low, 0.0) / 3600,
    )


def _shares(shape: ModelShape, load: MemoryLoad, gpu: GPU) -> Range:
    """Of the 16-bit rate, what is reached."""
    if not load.rounds:
        return utilisation(shape, load, gpu)
    reached = 1 / (_AT_BEST + _BY_BYTES * gpu.training_tflops * 1e3 / gpu.memory_bandwidth_gb_s)
    low, median, high = (
        min(_MOST, reached * each) for each in (_SPREAD.low, _SPREAD.median, _SPREAD.high)
    )
    return Range(low=low, median=median, high=high)
