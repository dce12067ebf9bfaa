"""A decoder as the native step takes it, found in a transformers model by its structure.

Known are embedding, layers of RMS norms, rotary attention of grouped heads and a gated MLP, a last norm and a
linear head: Llama, SmolLM2, Mistral, Qwen 2.5 and 3, Gemma 2 and 3, Phi-3. Weights are read where they lie,
with an adapter's wrapper around them or without; norms and biases are copied in float32."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from finewright.lm.adapters.linears import OnLinear
from finewright.lm.fast import attention, mlp, norm, rope

_QKV = (("q_proj", "k_proj", "v_proj"), ("qkv_proj",))
_BASE = ("embed_tokens", "layers", "norm", "rotary_emb")
# Norms around attention and MLP: what comes before each, and what comes after it.
_AROUND = {
    ("input_layernorm", "post_attention_layernorm"): (
        "input_layernorm",
        None,
        "post_attention_layernorm",
        None,
    ),
    (
        "input_layernorm",
        "post_attention_layernorm",
        "post_feedforward_layernorm",
        "pre_feedforward_layernorm",
    ): (
        "input_layernorm",
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    ),
}
_VARYING_ROPES = {"dynamic", "longrope"}  # their angles depend on how long a sequence is


class UnknownModelError(Exception):
    """Why the native step cannot take a model."""


@dataclass(frozen=True, slots=True)
class DecoderLayer:
    """Linears by path, norms as float32 weights or None, and how attention sees."""

    qkv: Mapping[str, nn.Module]
    out: Mapping[str, nn.Module]
    gate_up: Mapping[str, nn.Module]
    down: Mapping[str, nn.Module]
    around: tuple[Tensor | None, ...]
    query_norm: Tensor | None
    key_norm: Tensor | None
    window: int
    kind: str


@dataclass(frozen=True, slots=True)
class Decoder:
    """What a step computes."""

    layers: tuple[DecoderLayer, ...]
    embedding: nn.Module
    final_norm: Tensor
    head: nn.Linear
    rotary: nn.Module
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    gelu: bool
    eps: float
    attention_scale: float
    softcap: float
    norms: tuple[tuple[nn.Module, Tensor], ...]

    @torch.no_grad()
    def renew(self) -> None:
        """Copy the norms' weights again, where they were trained."""
        for module, weight in self.norms:
            found = norm.recognised(module)
            assert not isinstance(found, str)
            weight.copy_(found.weight)

    def angles(self, count: int, dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
        """Cosines and sines (count, rotary) of the first positions, by kind of layer, as the model rounds."""
        x = torch.empty(0, dtype=dtype)
        positions = torch.arange(count)[None]
        by_kind = "layer_type" in signature(self.rotary.forward).parameters
        found = {}
        for kind in {layer.kind for layer in self.layers}:
            cos, sin = self.rotary(x, positions, kind) if by_kind else self.rotary(x, positions)
            found[kind] = cos[0].float().contiguous(), sin[0].float().contiguous()
        return found


def recognise(model: PreTrainedModel) -> Decoder:
    """The decoder in a model. Raises UnknownModelError."""
    base, config = model.base_model, model.config.get_text_config()
    missing = [name for name in _BASE if not hasattr(base, name)]
    _need(not missing and len(list(base.children())) == len(_BASE), "its parts are not known")
    head = model.get_output_embeddings()
    _need(type(head) is nn.Linear and head.bias is None, "its head is no plain linear")
    assert isinstance(head, nn.Linear)
    _need(not (_rope_types(config) & _VARYING_ROPES), "its rotation depends on the length")
    names = {id(module): path for path, module in model.named_modules()}
    norms = _Norms()
    layers = tuple(_layer(layer, config, names, norms) for layer in base.layers)
    last = norms.add(base.norm)
    _need(len(norms.epsilons) == 1, "its norms' epsilons differ")
    first = base.layers[0].self_attn
    _need(first.head_dim % 2 == 0, "its heads are of an odd width")
    scales = {float(layer.self_attn.scaling) for layer in base.layers}
    caps = {_softcap(layer.self_attn) for layer in base.layers}
    gelus = {mlp.is_gelu(mlp.activation_of(layer.mlp)) for layer in base.layers}
    _need(len(scales) == len(caps) == 1, "its layers' attention differs")
    gelu = gelus.pop() if len(gelus) == 1 else None
    _need(gelu is not None, "its activation is neither SiLU nor the tanh form of GELU")
    (down,) = layers[0].down.values()
    return Decoder(
        layers,
        base.embed_tokens,
        last,
        head,
        base.rotary_emb,
        config.num_attention_heads,
        config.num_key_value_heads,
        first.head_dim,
        shape_of(down)[1],
        bool(gelu),
        norms.epsilons.pop(),
        scales.pop(),
        caps.pop(),
        tuple(norms.found),
    )


def shape_of(linear: nn.Module) -> tuple[int, int]:
    """d_out, d_in of a linear with an adapter or without."""
    base = linear.base if isinstance(linear, OnLinear) else linear
    assert isinstance(base, nn.Linear)
    return base.out_features, base.in_features


def _layer(
    layer: nn.Module, config: Any, names: Mapping[int, str], norms: "_Norms"
) -> DecoderLayer:
    children = dict(layer.named_children())
    around = tuple(sorted(name for name, child in children.items() if norm.is_norm(child)))
    drops = {name for name, child in children.items() if isinstance(child, nn.Dropout)}
    _need(
        around in _AROUND and children.keys() - drops == {*around, "self_attn", "mlp"},
        f"the parts of {type(layer).__name__} are not known",
    )
    own, gated = children["self_attn"], children["mlp"]
    _need(
        attention.is_attention(own) and rope.is_rotary(own),
        f"{type(own).__name__} is no rotary attention that is known",
    )
    _need(mlp.is_gated(gated), f"{type(gated).__name__} is no gated MLP")
    heads = dict(own.named_children())
    qkv = next((names for names in _QKV if heads.keys() >= set(names)), ())
    rest = heads.keys() - {*qkv, "o_proj"}
    _need(
        bool(qkv) and "o_proj" in heads and rest in (set(), {"q_norm", "k_norm"}),
        f"the parts of {type(own).__name__} are not known",
    )
    *inner, down = mlp.linear_names(gated)
    linears = {**heads, **dict(gated.named_children())}

    def by_path(wanted: Any) -> dict[str, nn.Module]:
        return {names[id(linears[name])]: _linear(linears[name]) for name in wanted}

    weights = tuple(norms.add(children[name]) if name else None for name in _AROUND[around])
    query_norm, key_norm = (
        norms.add(heads[name]) if name in rest else None for name in ("q_norm", "k_norm")
    )
    for each in (query_norm, key_norm):
        _need(each is None or len(each) == own.head_dim, "its queries are normed across heads")
    window, kind = _window(own, config), getattr(own, "layer_type", None) or ""
    of_attention = by_path(qkv), by_path(("o_proj",))
    return DecoderLayer(
        *of_attention, by_path(inner), by_path((down,)), weights, query_norm, key_norm, window, kind
    )


def _linear(module: nn.Module) -> nn.Module:
    if isinstance(module, OnLinear):
        return module
    _need(type(module) is nn.Linear, f"{type(module).__name__} is no plain linear")
    return module


class _Norms:
    """The norms of a model, copied as they are found."""

    def __init__(self) -> None:
        self.found: list[tuple[nn.Module, Tensor]] = []
        self.epsilons: set[float] = set()

    def add(self, module: nn.Module) -> Tensor:
        """What it multiplies by, float32."""
        scaling = norm.recognised(module)
        if isinstance(scaling, str):
            raise UnknownModelError(f"{type(module).__name__}: {scaling}")
        self.epsilons.add(scaling.eps)
        self.found.append((module, scaling.weight.contiguous()))
        return self.found[-1][1]


def _window(own: Any, config: Any) -> int:
    """How far back a layer sees, 0 for all; some families tell it to the layer, others to all of them."""
    if hasattr(own, "sliding_window"):
        return int(own.sliding_window or 0)
    return int(getattr(config, "sliding_window", None) or 0)


def _softcap(own: Any) -> float:
    return float(getattr(own, "attn_logit_softcapping", None) or 0.0)


def _rope_types(config: Any) -> set[str]:
    parameters = config.rope_parameters or {}
    groups = [parameters, *(each for each in parameters.values() if isinstance(each, dict))]
    return {str(group["rope_type"]) for group in groups if "rope_type" in group}


def _need(holds: bool, reason: str) -> None:
    if not holds:
        raise UnknownModelError(reason)
