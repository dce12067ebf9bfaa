"""From a config.json to a `ModelShape`: one reader for the families that are made alike, by their own keys.

Where a config is silent, transformers' default of the family holds; those that real configs leave out are
written here (Gemma 3's text part is the usual one).

Linear layers that no adapter may stand on, because somebody would compute without it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finewright.errors import ModelError
from finewright.estimate.context import context_of
from finewright.estimate.shape import Experts, LayerKind, Linear, ModelShape

LEAVE_OUT = "leave it out of train.adapter.target_modules"


_UNCALLED = "transformers computes with the layer's weight and does not call it, so PEFT passes an adapter by"


_REFUSED = (
    "PEFT 0.21 refuses an adapter here, as a fused kernel may compute with the layer's weight"
)


_NUMBERED = "these are low-rank layers already, named by numbers that PEFT takes for decoder layers"


# model_type -> name in a layer's path -> why. Read in transformers 5.23's modelling code and in PEFT's
# `_check_lora_target_modules_mamba`.
UNADAPTED: Mapping[str, Mapping[str, str]] = {
    "jamba": {"dt_proj": _UNCALLED},
    "falcon_h1": {"out_proj": _REFUSED},
    "nemotron_h": {"out_proj": _REFUSED},
    "zamba2": dict.fromkeys(
        (
            "linear_q_adapter_list",
            "linear_k_adapter_list",
            "linear_v_adapter_list",
            "gate_up_proj_adapter_list",
        ),
        _NUMBERED,
    ),
}


Config = Mapping[str, Any]  # Any: a config.json as it was read

# The keys that real configs of a family leave to transformers' defaults.
_SILENT: dict[str, dict[str, Any]] = {
    "gemma": {"head_dim": 256, "tie_word_embeddings": True},
    "gemma2": {"head_dim": 256, "tie_word_embeddings": True, "vocab_size": 256000},
    "gemma3_text": {
        "head_dim": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 262208,
        "tie_word_embeddings": True,
    },
    "llama": {},
    "mistral": {"num_key_value_heads": 8},
    "mixtral": {"num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2},
    "phi3": {},
    "gpt_oss": {"head_dim": 64, "num_key_value_heads": 8, "attention_bias": True},
    "qwen2": {},
    "qwen3": {"head_dim": 128},
    "qwen2_moe": {},
    "qwen3_moe": {},
    "smollm3": {"tie_word_embeddings": True},
    "deepseek_v2": {"first_k_dense_replace": 0, "q_lora_rank": 1536, "n_shared_experts": 2},
    "deepseek_v3": {"first_k_dense_replace": 3, "q_lora_rank": 1536, "n_shared_experts": 1},
}
# Far above every model that is known; what is beyond is a slip, and would give figures that mean nothing.
_MOST = {
    "num_hidden_layers": 2_000,
    "hidden_size": 200_000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "head_dim": 10_000,
    "vocab_size": 10_000_000,
    "max_position_embeddings": 1_000_000_000,
}
_MOST_OF_ANY = 2_000_000
_QKV_BIAS = ("qwen2", "qwen2_moe")
_HEAD_NORMS = ("gemma3_text", "qwen3", "qwen3_moe")
_FOUR_NORMS = ("gemma2", "gemma3_text")
_LATENT = ("deepseek_v2", "deepseek_v3")
_SINKS = ("gpt_oss",)
"""Each head has one number that attention may fall into, and each expert and the router a bias."""


def families() -> tuple[str, ...]:
    """The `model_type`s that the closed formulas know."""
    return tuple(_SILENT)


def shape_of(config: Config, origin: str | Path = "config.json") -> ModelShape:
    """The shape that a config.json describes. Raises ModelError, in one line, for one that it cannot be."""
    text = _text_part(config)
    family = str(text.get("model_type", ""))
    if family not in _SILENT:
        raise ModelError(
            f"{origin}: no closed formula knows model_type {family!r}",
            hint=f"known: {', '.join(_SILENT)}",
        )
    read = _Reader({**_SILENT[family], **text}, str(origin))
    hidden, heads = read.number("hidden_size"), read.number("num_attention_heads")
    latent = family in _LATENT
    width = read.number("head_dim", hidden // heads)
    key_width = (
        read.number("qk_nope_head_dim") + read.number("qk_rope_head_dim") if latent else width
    )
    return ModelShape(
        family=family,
        hidden=hidden,
        vocabulary=read.number("vocab_size"),
        heads=heads,
        kv_heads=heads if latent else read.number("num_key_value_heads", heads),
        key_width=key_width,
        value_width=read.number("v_head_dim") if latent else width,
        tied=bool(read.get("tie_word_embeddings", False)),
        context=_context(read, text),
        layers=_layers(read, family),
        softcapped=bool(read.get("attn_logit_softcapping")) or family == "gemma2",
        latent=read.number("kv_lora_rank") + read.number("qk_rope_head_dim") if latent else 0,
    )


def _context(read: "_Reader", text: Config) -> int | None:
    if read.get("max_position_embeddings") is None:
        return None
    read.number("max_position_embeddings")
    return context_of(text)


class _Reader:
    """A config with the family's defaults, and complaints that name file and key."""

    def __init__(self, config: Config, origin: str) -> None:
        self._config, self.origin = config, origin

    def get(self, key: str, otherwise: Any = None) -> Any:
        """The value, or what holds where it is missing or null."""
        found = self._config.get(key)
        return otherwise if found is None else found

    def number(self, key: str, otherwise: int | None = None) -> int:
        """A whole number above zero, and not beyond any model. Raises ModelError."""
        found = self.get(key, otherwise)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            fault = "is missing" if found is None else f"is {found!r}"
            raise ModelError(f"{self.origin}: {key} {fault}; it must be a whole number above zero")
        most = _MOST.get(key, _MOST_OF_ANY)
        if found > most:
            what = f"{self.origin}: {key} is {found:,}; no model has over {most:,}"
            raise ModelError(what, hint="look whether the file is the model's own config.json")
        return found


def _text_part(config: Config) -> Config:
    """The language model of a config that also describes eyes or ears."""
    inner = config.get("text_config")
    if not isinstance(inner, Mapping):
        return config
    outer = (
        {"tie_word_embeddings": config["tie_word_embeddings"]}
        if "tie_word_embeddings" in config
        else {}
    )
    family = inner.get("model_type") or f"{config.get('model_type')}_text"
    return {**outer, **inner, "model_type": family}


def _layers(read: _Reader, family: str) -> tuple[LayerKind, ...]:
    hidden, count = read.number("hidden_size"), read.number("num_hidden_layers")
    attention = _latent(read) if family in _LATENT else _attention(read, family)
    norms = (hidden,) * (4 if family in _FOUR_NORMS else 2)
    width = read.number("head_dim", hidden // read.number("num_attention_heads"))
    head_norms = (width, width) if family in _HEAD_NORMS else ()
    if family in _LATENT:
        norms += (read.number("kv_lora_rank"),)
        norms += (read.number("q_lora_rank"),) if read.get("q_lora_rank") else ()
    sparse = _sparse(read, family, count)
    dense = LayerKind(count - sparse, (*attention, *_mlp(read, family)), norms, head_norms)
    if not sparse:
        return (dense,)
    shared, experts = _experts(read, family)
    sinks = read.number("num_attention_heads") if family in _SINKS else 0
    mixture = LayerKind(sparse, (*attention, *shared), norms, head_norms, experts, sinks)
    return (dense, mixture) if dense.count else (mixture,)


def _attention(read: _Reader, family: str) -> tuple[Linear, ...]:
    hidden, heads = read.number("hidden_size"), read.number("num_attention_heads")
    width = read.number("head_dim", hidden // heads)
    queries, keys = heads * width, read.number("num_key_value_heads", heads) * width
    bias = bool(read.get("attention_bias", False))
    if family == "phi3":
        return (
            Linear("o_proj", queries, hidden),
            Linear("qkv_proj", hidden, queries + 2 * keys),
        )
    first = bool(read.get("qkv_bias", True)) if family in _QKV_BIAS else bias
    return (
        Linear("q_proj", hidden, queries, first),
        Linear("k_proj", hidden, keys, first),
        Linear("v_proj", hidden, keys, first),
        Linear("o_proj", queries, hidden, bias and family not in _QKV_BIAS),
    )


def _latent(read: _Reader) -> tuple[Linear, ...]:
    """DeepSeek's multi-head latent attention (arXiv:2405.04434, section 2.1)."""
    hidden, heads = read.number("hidden_size"), read.number("num_attention_heads")
    turned, plain = read.number("qk_rope_head_dim"), read.number("qk_nope_head_dim")
    values, latent = read.number("v_head_dim"), read.number("kv_lora_rank")
    bias, queries = bool(read.get("attention_bias", False)), heads * (turned + plain)
    low = read.get("q_lora_rank")
    first = (
        (Linear("q_a_proj", hidden, low, bias), Linear("q_b_proj", low, queries))
        if low
        else (Linear("q_proj", hidden, queries),)
    )
    return (
        *first,
        Linear("kv_a_proj_with_mqa", hidden, latent + turned, bias),
        Linear("kv_b_proj", latent, heads * (plain + values)),
        Linear("o_proj", heads * values, hidden, bias),
    )


def _mlp(read: _Reader, family: str) -> tuple[Linear, ...]:
    hidden, width = read.number("hidden_size"), read.number("intermediate_size")
    if family == "phi3":
        return (Linear("gate_up_proj", hidden, 2 * width), Linear("down_proj", width, hidden))
    return _make_gate(hidden, width, bias=bool(read.get("mlp_bias", False)))


def _make_gate(hidden: int, width: int, *, bias: bool = False) -> tuple[Linear, ...]:
    return (
        Linear("gate_proj", hidden, width, bias),
        Linear("up_proj", hidden, width, bias),
        Linear("down_proj", width, hidden, bias),
    )


def _sparse(read: _Reader, family: str, count: int) -> int:
    """How many of the layers are mixtures."""
    if family in ("mixtral", "gpt_oss"):
        return count
    if family in _LATENT:
        return max(0, count - int(read.get("first_k_dense_replace", 0)))
    if not family.endswith("_moe"):
        return 0
    dense, step = set(read.get("mlp_only_layers", ())), read.number("decoder_sparse_step", 1)
    return sum(i not in dense and (i + 1) % step == 0 for i in range(count))


def _experts(read: _Reader, family: str) -> tuple[tuple[Linear, ...], Experts]:
    """The linears that every token passes, and the experts beside them."""
    hidden = read.number("hidden_size")
    used = read.number("num_experts_per_tok")
    if family in ("mixtral", "gpt_oss"):
        width = read.number("intermediate_size")
        biased = family in _SINKS
        return (), Experts(read.number("num_local_experts"), used, hidden, width, biased)
    width = read.number("moe_intermediate_size")
    if family in _LATENT:
        shared = _make_gate(hidden, width * read.number("n_shared_experts"), bias=False)
        return shared, Experts(read.number("n_routed_experts"), used, hidden, width)
    count = read.number("num_experts", read.get("num_local_experts"))
    if family == "qwen3_moe":
        return (), Experts(count, used, hidden, width)
    gate = Linear("shared_expert_gate", hidden, 1)
    shared = _make_gate(hidden, read.number("shared_expert_intermediate_size"))
    return (*shared, gate), Experts(count, used, hidden, width)


def why_no_adapter(model_type: str, path: str) -> str:
    """Why the layer at this path, or of this name, takes no adapter; empty where it does."""
    reasons = UNADAPTED.get(model_type, {})
    return next((reasons[name] for name in path.split(".") if name in reasons), "")


def reasons_by_layers(model_type: str) -> Iterator[tuple[str, str]]:
    """(why, names) of all such layers of a family."""
    reasons = UNADAPTED.get(model_type, {})
    for reason in dict.fromkeys(reasons.values()):
        yield reason, ", ".join(name for name in reasons if reasons[name] == reason)
