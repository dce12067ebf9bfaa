"""How much memory a training step takes, by a closed formula: the first of three tiers, in a millisecond.

The formula follows what the engine keeps (docs/engine.md). With T tokens computed at once of which N are
learned, e bytes a number, and per layer d the width, q and kv the widths of queries and keys, I the
intermediate width:

    weights      e P; in NF4 4.13 bits and in int8 8 bits a number of the linears under an adapter
    learned      float32: 4 weight + 4 gradient + 8 AdamW; a bfloat16 weight that learns has a float32 master
    activations  a layer keeps e T (4 d + 2 q + 2 kv + 2 I) with the fused nodes; `memory: lean` keeps e T d,
                 and one layer whole
    head         a chunk of logits of at most 64 MiB, and 2 e N d; never the N x V logits
    working      what the backward of one layer holds at once

It knows no allocator's gaps and no kernel's scratch. Against a trace of the step (lm/trace.py) it is within
15 % over the configurations of the tests; that is its interval."""

from dataclasses import dataclass
from typing import NamedTuple

from finewright.estimate.shape import LayerKind, ModelShape
from finewright.schema.adapter import AdapterSpec, FullSpec, IA3Spec, LoraSpec

# Codes, 8-bit scales of 64 and float32 scales of 256 of these; see lm/fast/quantized.py.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
INT8_BYTES = 1.0
_FLOAT32 = 4
_MOMENTS = 2 * _FLOAT32
_CHUNK = 1 << 26  # see lm/fast/head.py
_FOUR_NORMS = ("gemma2", "gemma3_text")
# Bytes of a gated product's gradient in plain torch, which a GPU runs before it compiles (fast/mlp.py).
_PLAIN_GLU_BYTES = 26
# Softcapped attention keeps its scores: capped, as float32 shares, and as shares in the model's format.
_SCORES = 2


@dataclass(frozen=True, slots=True)
class MemoryLoad:
    """What is computed at once, and how.

    `tokens` and `learned` are of the largest micro-batch, all its sequences, and `longest` of one of these;
    `number` is the bytes of a weight or activation. `accumulates`: a step has several micro-batches.
    `cached` are the tokens whose keys and values rollouts hold."""

    adapter: AdapterSpec
    tokens: int
    learned: int
    longest: int
    number: int = 2
    lean: bool = False
    gpu: bool = False
    accumulates: bool = False
    cached: int = 0
    value_head: bool = False

    @property
    def is_full(self) -> bool:
        """Whether every weight learns."""
        return isinstance(self.adapter, FullSpec)

    @property
    def is_quantized(self) -> bool:
        """Whether the weights under the adapter are in 4 or 8 bits."""
        return getattr(self.adapter, "quantization", "none") != "none"

    @property
    def rounds(self) -> bool:
        """Whether numbers are kept in less than float32."""
        return self.number < _FLOAT32


class MemoryUse(NamedTuple):
    """Bytes by what holds them; `working` is what comes and goes within a step, `passing` what gradients
    of the largest weight do."""

    weights: float
    learned: float
    gradients: float
    activations: float
    head: float
    working: float
    passing: float
    rollouts: float
    accumulates: bool

    @property
    def tensors(self) -> float:
        """The most that is held at once: early in the backward, at its end, or while answers are made."""
        early = self.activations + max(self.head, self.working)
        early += self.gradients if self.accumulates else 0.0
        late = self.gradients + self.passing
        return self.weights + self.learned + max(early, late, self.rollouts)


def memory(shape: ModelShape, load: MemoryLoad) -> MemoryUse:
    """What a step of this load takes."""
    kept = [(kind.count, _count_kept_bytes(shape, kind, load)) for kind in shape.layers]
    inputs = float(load.number * load.tokens * shape.hidden)
    if load.lean:
        activations = shape.num_layers * inputs + max(each for _, each in kept)
    else:
        activations = sum(count * each for count, each in kept)
    learned = shape.trainable(load.adapter) + (shape.hidden + 1 if load.value_head else 0)
    words = shape.vocabulary * shape.hidden
    return MemoryUse(
        weights=_weights(shape, load),
        learned=float(learned * (_MOMENTS + (0 if load.is_full and not load.rounds else _FLOAT32))),
        gradients=float(learned * _FLOAT32),
        activations=activations + inputs,
        head=_head(shape, load),
        working=_working(shape, load),
        passing=float(words * (load.number + _FLOAT32 * shape.tied)) if load.is_full else 0.0,
        rollouts=float(load.number * load.cached * shape.cache_per_token),
        accumulates=load.accumulates or not load.is_full,
    )


def _weights(shape: ModelShape, load: MemoryLoad) -> float:
    """The frozen model with the room beside its linears; of a model that learns, the weights themselves."""
    adapter, number = load.adapter, load.number
    if isinstance(adapter, FullSpec):
        return float(number * shape.parameters)
    on = shape.on_adapters(adapter)
    under = sum(count * linear.weights for count, linear in on)
    room = _room(adapter)
    wide = number * room * sum(count * linear.outputs for count, linear in on)
    total = float(number * (shape.parameters - under))
    quantization = adapter.quantization
    if quantization == "none":
        return total + number * under + wide
    each = NF4_BYTES if quantization == "nf4" else INT8_BYTES
    largest = max(linear.outputs * (linear.inputs + room) for _, linear in on)
    return total + each * under + number * largest


def _room(adapter: AdapterSpec) -> int:
    if not isinstance(adapter, LoraSpec):
        return 0
    return 2 * adapter.r if adapter.init == "pissa" else adapter.r


def _count_kept_bytes(shape: ModelShape, kind: LayerKind, load: MemoryLoad) -> float:
    """Bytes that one layer keeps for its backward."""
    names = _names_of_inputs_kept(shape, load)
    numbers = _attention(shape, kind, load) + _residuals(shape, load) + _inputs(shape, kind, names)
    numbers += _mlp(kind, load, names) + _bytes_of_rescaling(kind, load, names)
    beside = _FLOAT32 * load.tokens * shape.heads  # log-sum-exp
    if shape.softcapped:
        each = load.number * _SCORES + _FLOAT32
        beside += each * load.tokens * shape.heads * load.longest
    return load.number * load.tokens * numbers + beside + _factors(kind, load, names)


def _names_of_inputs_kept(shape: ModelShape, load: MemoryLoad) -> frozenset[str]:
    """The linears that keep their input: those with LoRA, or all where all learn."""
    if load.is_full:
        return frozenset(linear.name for _, linear in shape.find_targets("all-linear"))
    if isinstance(load.adapter, LoraSpec):
        return frozenset(linear.name for _, linear in shape.on_adapters(load.adapter))
    return frozenset()


def _residuals(shape: ModelShape, load: MemoryLoad) -> float:
    """Inputs of the norms. A norm that learns keeps them as transformers does, in float32 and rounded."""
    norms = 4 if shape.family in _FOUR_NORMS else 2
    if load.is_full and load.rounds:
        wide = _FLOAT32 / load.number
        return norms * shape.hidden * (2 * wide if shape.family in _FOUR_NORMS else wide + 1)
    return norms * shape.hidden * (2.0 if load.is_full else 1.0)


def _inputs(shape: ModelShape, kind: LayerKind, names: frozenset[str]) -> float:
    """What the norms make, where a linear keeps it: once for attention, once for the MLP."""
    first = {on.name for on in kind.linears if on.inputs == shape.hidden and on.name in names}
    of_mlp = {name for name in first if name.startswith(("gate", "up"))}
    return float(shape.hidden * (bool(of_mlp) + bool(first - of_mlp)))


def _attention(shape: ModelShape, kind: LayerKind, load: MemoryLoad) -> float:
    """Turned queries and keys, values and what attention makes; in plain torch keys are repeated."""
    queries, outputs = shape.heads * shape.key_width, shape.heads * shape.value_width
    keys, values = shape.kv_heads * shape.key_width, shape.kv_heads * shape.value_width
    found = float(queries + outputs)
    plain = shape.softcapped or not (load.gpu or load.rounds)
    found += queries + 2 * outputs if plain else keys + values
    if kind.head_norms:
        found += (queries + keys) * (1 + _FLOAT32 / load.number * load.is_full)
    if _is_latent(shape):
        found += queries + 2 * sum(kind.norms[2:])
    return found


def _is_latent(shape: ModelShape) -> bool:
    return shape.key_width != shape.value_width


def _mlp(kind: LayerKind, load: MemoryLoad, names: frozenset[str]) -> float:
    """Gate and up where the node is fused; their activation too where it is not, and the product where down
    keeps its input; of experts gate and up, the activation, and what is weighted."""
    width = kind.inner
    keeps_product = "down_proj" in names or isinstance(load.adapter, IA3Spec)
    found = float(width * (2 if _is_fused(load.adapter) else 3 + keeps_product))
    if experts := kind.experts:
        found += experts.used * (3 * experts.width + experts.inputs)
        found += experts.used * (experts.width + experts.inputs) if load.is_full else 0
    return found


def _is_fused(adapter: AdapterSpec) -> bool:
    return (
        isinstance(adapter, LoraSpec)
        and adapter.target_modules == "all-linear"
        and not adapter.use_dora
        and not adapter.dropout
    )


def _bytes_of_rescaling(kind: LayerKind, load: MemoryLoad, names: frozenset[str]) -> float:
    """DoRA keeps each output that it rescales; dropout keeps what is left of each input, and its mask."""
    adapter = load.adapter
    if not isinstance(adapter, LoraSpec):
        return 0.0
    on = [linear for linear in kind.linears if linear.name in names]
    found = sum(linear.outputs for linear in on) if adapter.use_dora else 0
    if adapter.dropout:
        found += round(1.4 * sum(linear.inputs for linear in on))
    return float(found)


def _factors(kind: LayerKind, load: MemoryLoad, names: frozenset[str]) -> float:
    """What LoRA keeps: x A^T a token, and A in the format of the activations."""
    adapter = load.adapter
    if not isinstance(adapter, LoraSpec):
        return 0.0
    on = [linear for linear in kind.linears if linear.name in names]
    casts = adapter.r * sum(linear.inputs for linear in on) if load.rounds else 0
    return float(load.number * (load.tokens * adapter.r * len(on) + casts))


def _head(shape: ModelShape, load: MemoryLoad) -> float:
    """A chunk of logits, and the learned tokens' states with their gradients; of a head that learns, its
    gradient as it is summed."""
    rows = max(16, _CHUNK // (load.number * shape.vocabulary))
    chunk = min(rows, load.learned) * shape.vocabulary
    each = load.number + (load.number + _FLOAT32 if load.gpu else 0)
    own = shape.vocabulary * shape.hidden * (_FLOAT32 + load.number) if load.is_full else 0
    return float(each * chunk + 2 * load.number * load.learned * shape.hidden + own)


def _working(shape: ModelShape, load: MemoryLoad) -> float:
    """What the backward of the last layer holds beside what was kept: mostly of its gated product."""
    return max(_working_in(shape, kind, load) for kind in shape.layers)


def _working_in(shape: ModelShape, kind: LayerKind, load: MemoryLoad) -> float:
    width = kind.inner
    glu = width * (_PLAIN_GLU_BYTES if load.gpu and _is_fused(load.adapter) else 3 * load.number)
    experts = kind.experts
    numbers = 3 * shape.hidden
    if experts:
        numbers += round(experts.used * (experts.width + 1.5 * experts.inputs))
    return float(load.tokens * (glu + load.number * numbers))
