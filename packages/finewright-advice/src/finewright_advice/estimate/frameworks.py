"""What the same run takes in another framework: memory by what that framework keeps, as its source has it.

With T tokens at once, V words, e bytes of a number, h bytes of a hidden number, d the width, q and kv the
widths of queries and keys, I the intermediate width, and r, n an adapter's rank and numbers:

    weights      e P; in NF4 4.5 bits a number of all linears (float32 scales of 64), and what is not
                 quantised in float32 where the framework upcasts it (PEFT's prepare_model_for_kbit_training)
    learned      an adapter's numbers with AdamW's moments; a model that learns whole in bfloat16 has its
                 gradients and moments in bfloat16 too
    activations  checkpoints h T d of every layer, or what every layer keeps
    working      one layer computed again, and the gradients of its gated product; eager attention keeps
                 its scores beside them
    head         whole logits T V (e + 12), or 16 in float32: logits, shares, and the two gradients of both;
                 or a chunk of them

Compared with published peaks by `python benchmarks/estimator.py --published`; see docs/cost.md."""

from dataclasses import dataclass

from finewright.estimate.shape import LayerKind, ModelShape
from finewright.schema.adapter import LoraSpec
from finewright_advice.estimate.memory import MemoryLoad, MemoryUse

_FLOAT32, _HALF = 4, 2
_LINEAR_NF4 = 0.5 + _FLOAT32 / 64
_CHUNK_BYTES = 256 << 20
_SOFTMAX = 3 * _FLOAT32  # its shares, and the gradients before and after it
_SOFTCAP = 2 * _FLOAT32


@dataclass(frozen=True, slots=True)
class Framework:
    """How a framework trains by default, and where that was read.

    `moments` are AdamW's bytes of a learned number, `adapter` an adapter's own in QLoRA; `keeps` says where
    the inputs of the layers wait for the backward pass, `whole_logits` that logits of all tokens are held at
    once, `upcasts` that QLoRA keeps in float32 what it does not quantise."""

    name: str
    version: str
    keeps: str
    whole_logits: bool
    moments: int
    adapter: int
    upcasts: bool
    source: str
    shards: bool = True
    """Whether it spreads one model over several GPUs."""

    def does(self, load: MemoryLoad) -> str:
        """What it does with this load, in a sentence."""
        keeps = {
            "layers": "without gradient checkpointing",
            "checkpoints": "with gradient checkpointing",
            "host": "with checkpoints in the host's memory",
        }
        again = self.keeps == "layers" and not self.keeps_layers(load)
        kept = keeps["checkpoints" if again else self.keeps]
        logits = "whole logits" if self.whole_logits else "logits in chunks"
        moments = "AdamW's moments in 8 bits" if self.moments == _HALF else "AdamW in full"
        return f"{self.name} {self.version}, {kept}, {logits}, {moments}"

    def keeps_layers(self, load: MemoryLoad) -> bool:
        """Whether nothing is computed again: PEFT turns checkpointing on where weights are quantised."""
        return self.keeps == "layers" and not load.lean and not load.is_quantized


_PEFT = "transformers 5.23 Trainer and PEFT 0.21: prepare_model_for_kbit_training, autocast_adapter_dtype"
FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("transformers", "5", "layers", True, 8, _FLOAT32, True, _PEFT),
        Framework(
            *("trl", "1.16", "checkpoints", False, 8, _HALF, False),
            "trl/trainer/sft_trainer.py and sft_config.py of 1.16.0",
        ),
        Framework(
            *("axolotl", "2026-07", "checkpoints", True, 2, _FLOAT32, False),
            "src/axolotl/loaders/model.py and examples/llama-3 at commit 067b021, 2026-07-24",
        ),
        Framework(
            *("unsloth", "2026-08", "host", False, 2, _FLOAT32, False),
            "unsloth/models/llama.py and loader.py at commit 015bdef, 2026-08-22; its notebooks' optimizer",
            shards=False,
        ),
    )
}


def framework_memory(
    shape: ModelShape, load: MemoryLoad, framework: Framework, *, eager: bool = False
) -> MemoryUse:
    """What a step of this load takes there; `eager` attention holds its scores, and softcapping needs it."""
    hidden = _FLOAT32 if _in_float32(load, framework) else load.number
    one = [_layer(shape, kind, load, hidden, eager or shape.softcapped) for kind in shape.layers]
    kept = [kind.count * kept for kind, (kept, _) in zip(shape.layers, one, strict=True)]
    inputs = float(hidden * load.tokens * shape.hidden)
    largest = max(kept + passing for kept, passing in one)
    on_host = framework.keeps == "host"
    whole = framework.keeps_layers(load)
    activations = sum(kept) if whole else (2 if on_host else shape.num_layers) * inputs
    activations += hidden * load.tokens * load.longest if eager else 0  # the mask
    learned, gradients = _bytes_of_learning(shape, load, framework)
    return MemoryUse(
        weights=_weights(shape, load, framework),
        learned=learned,
        gradients=gradients,
        activations=activations,
        head=_head(shape, load, framework, hidden),
        working=max(passing for _, passing in one) if whole else largest,
        passing=0.0,
        rollouts=0.0,
        accumulates=not load.is_full,
    )


def _in_float32(load: MemoryLoad, framework: Framework) -> bool:
    """Hidden numbers take the embedding's format."""
    return load.is_quantized and framework.upcasts


def _weights(shape: ModelShape, load: MemoryLoad, framework: Framework) -> float:
    if not load.is_quantized:
        return float(load.number * shape.parameters)
    int8 = getattr(load.adapter, "quantization", "") == "int8"
    other = _FLOAT32 if framework.upcasts else load.number
    return shape.linear * (1.0 if int8 else _LINEAR_NF4) + float(
        other * (shape.parameters - shape.linear)
    )


def _bytes_of_learning(
    shape: ModelShape, load: MemoryLoad, framework: Framework
) -> tuple[float, float]:
    """Bytes of what learns with its moments, and of its gradients."""
    if load.is_full:
        moments = min(framework.moments, 2 * load.number)
        return float(moments * shape.parameters), float(load.number * shape.parameters)
    number = framework.adapter if load.is_quantized else _FLOAT32
    learned = shape.trainable(load.adapter)
    moments = framework.moments if framework.moments < 2 * number else 2 * number
    return float(learned * (number + moments)), float(learned * number)


def _head(shape: ModelShape, load: MemoryLoad, framework: Framework, hidden: int) -> float:
    """Of logits, their shares and the gradients of both."""
    each = hidden + _SOFTMAX
    tokens = float(load.tokens)
    if not framework.whole_logits:
        tokens = min(tokens, _CHUNK_BYTES / (each * shape.vocabulary))
    return tokens * shape.vocabulary * each


def _layer(
    shape: ModelShape, kind: LayerKind, load: MemoryLoad, hidden: int, eager: bool
) -> tuple[float, float]:
    """What a layer keeps for its backward pass, and what comes and goes in it."""
    inner = kind.active_inner
    queries = shape.heads * (shape.key_width + shape.value_width)
    numbers = 3 * inner + queries + queries  # keys and values stand once for every head
    kept = float(hidden * numbers + 2 * _FLOAT32 * shape.hidden + _FLOAT32 * shape.heads)
    kept += _adapters(kind, load, hidden)
    passing = float(hidden * (2 * inner + shape.hidden))
    if eager:
        softcap = _SOFTCAP if shape.softcapped else 0
        passing += shape.heads * load.longest * (hidden + _SOFTMAX + softcap)
    return load.tokens * kept, load.tokens * passing


def _adapters(kind: LayerKind, load: MemoryLoad, hidden: int) -> float:
    """Inputs of LoRA, in float32, a copy for each linear where hidden numbers are not; DoRA keeps outputs."""
    adapter = load.adapter
    if load.is_full:
        return float(hidden * sum({linear.inputs for linear in kind.linears}))
    if not isinstance(adapter, LoraSpec):
        return 0.0
    on = kind.targets_in_layer(adapter.target_modules)
    shared = hidden == _FLOAT32
    each = [linear.inputs for linear in on]
    inputs = sum(set(each)) if shared else sum(each)
    ranks = adapter.r * len(on)
    return float(
        _FLOAT32 * (inputs + ranks)
        + (2 * hidden * sum(linear.outputs for linear in on) if adapter.use_dora else 0)
    )
