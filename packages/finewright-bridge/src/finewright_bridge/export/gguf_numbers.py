"""What a GGUF file says of a model beside its weights, from the model's config.json.

Names and meanings are those of the GGUF specification (ggml-org/ggml, docs/gguf.md) and of llama.cpp's
loader. A number that llama.cpp has no place for, and that changes what is computed, is refused.

What float16 can hold."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from gguf import MODEL_ARCH, ExpertGatingFuncType, GGUFWriter, RopeScalingType

from finewright.errors import ModelError

_MOST = 65504.0


Config: TypeAlias = Mapping[str, Any]  # Any: a config.json's values

_GEMMA2_27B, _GEMMA3_27B = 46, 62
"""Layers by which llama.cpp knows the two models that scale attention by hidden size over heads."""
_WITHOUT_WINDOW = ("llama", "mistral", "mixtral", "phi3")
_GEMMA_PERIODS = {"gemma2": 2, "gemma3_text": 6}


class Family(NamedTuple):
    """A model type of transformers in llama.cpp: its architecture, whether rotated pairs lie side by side
    there (then rows of q and k are permuted), and whether norms multiply by 1 + w here."""

    arch: MODEL_ARCH
    permutes: bool = False
    adds_one: bool = False


FAMILIES = {
    "llama": Family(MODEL_ARCH.LLAMA, permutes=True),
    "mistral": Family(MODEL_ARCH.LLAMA, permutes=True),
    "mixtral": Family(MODEL_ARCH.LLAMA, permutes=True),
    "qwen2": Family(MODEL_ARCH.QWEN2),
    "qwen3": Family(MODEL_ARCH.QWEN3),
    "qwen3_moe": Family(MODEL_ARCH.QWEN3MOE),
    "gemma2": Family(MODEL_ARCH.GEMMA2, adds_one=True),
    "gemma3_text": Family(MODEL_ARCH.GEMMA3, adds_one=True),
    "phi3": Family(MODEL_ARCH.PHI3),
    "deepseek_v3": Family(MODEL_ARCH.DEEPSEEK2),
}


def family_of(config: Config) -> Family:
    """Raises ModelError for a model type that cannot be written."""
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        raise ModelError(
            f"models of type {kind!r} cannot be written as GGUF here",
            hint=f"export with --to merged; GGUF is for {', '.join(FAMILIES)}",
        )
    return FAMILIES[kind]


def context_length(config: Config) -> int:
    """Tokens up to which llama.cpp computes what the model does: for Mistral and Phi those of their window,
    which llama.cpp does not keep."""
    longest, window = int(config["max_position_embeddings"]), config.get("sliding_window")
    if config["model_type"] in _WITHOUT_WINDOW and window:
        return min(longest, int(window))
    return longest


def head_dim(config: Config) -> int:
    """Numbers of a head."""
    found = config.get("head_dim")
    return int(found or config["hidden_size"] // config["num_attention_heads"])


def query_scale(config: Config) -> float:
    """What queries are multiplied by, so that llama.cpp's scaling of attention comes to the model's own."""
    scalar = config.get("query_pre_attn_scalar")
    if scalar is None:
        return 1.0
    layers = config["num_hidden_layers"]
    is_27b = (config["model_type"], layers) in {
        ("gemma2", _GEMMA2_27B),
        ("gemma3_text", _GEMMA3_27B),
    }
    theirs = config["hidden_size"] / config["num_attention_heads"] if is_27b else head_dim(config)
    return math.sqrt(theirs / scalar)


def add_numbers(writer: GGUFWriter, config: Config) -> None:
    """All keys of the architecture. Raises ModelError for what llama.cpp cannot compute."""
    writer.add_context_length(context_length(config))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if config["model_type"] == "deepseek_v3":
        _add_latent_attention(writer, config)
    else:
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_key_length(head_dim(config))
        writer.add_value_length(head_dim(config))
    _add_rotation(writer, config)
    _add_experts(writer, config)
    _add_windows(writer, config)


def _add_rotation(writer: GGUFWriter, config: Config) -> None:
    rope = rope_of(config)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    if config["model_type"] == "deepseek_v3":
        writer.add_rope_dimension_count(config["qk_rope_head_dim"])
    else:
        partial = rope.get("partial_rotary_factor", config.get("partial_rotary_factor")) or 1.0
        writer.add_rope_dimension_count(int(head_dim(config) * partial))
    kind = rope.get("rope_type", "default")
    if kind == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))
    elif kind == "yarn":
        _add_yarn(writer, config, rope)
    elif kind == "longrope":
        key = "original_max_position_embeddings"
        original = rope[key] if key in rope else config[key]
        writer.add_rope_scaling_orig_ctx_len(int(original))
        writer.add_rope_scaling_attn_factors(_long_attention_factor(config, float(original)))
    elif kind not in ("default", "llama3"):  # llama3's factors are a tensor
        raise ModelError(f"rotation of type {kind!r} cannot be written as GGUF here")


def _add_yarn(writer: GGUFWriter, config: Config, rope: Config) -> None:
    original = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(float(rope["factor"]))
    writer.add_rope_scaling_orig_ctx_len(int(original))
    if config["model_type"] == "deepseek_v3":
        writer.add_rope_scaling_yarn_log_mul(0.1 * float(rope.get("mscale_all_dim", 1.0)))


def _long_attention_factor(config: Config, original: float) -> float:
    """Phi-3's: sqrt(1 + ln(s) / ln(original)), s the stretch of the context."""
    scale = config["max_position_embeddings"] / original
    return math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0


def rope_of(config: Config) -> Config:
    """The rotation of the full layers, where a config has one for each kind of layer."""
    rope = dict(config.get("rope_parameters") or {})
    rope = dict(rope.get("full_attention") or rope)
    rope.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    return rope


def _add_latent_attention(writer: GGUFWriter, config: Config) -> None:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434), kept as llama.cpp absorbs it: one key
    and value head of the compressed width."""
    rank, rotated = config["kv_lora_rank"], config["qk_rope_head_dim"]
    writer.add_head_count_kv(1)
    if config.get("q_lora_rank"):
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(rank)
    writer.add_key_length(rank + rotated)
    writer.add_value_length(rank)
    writer.add_key_length_mla(config["qk_nope_head_dim"] + rotated)
    writer.add_value_length_mla(config["v_head_dim"])


def _add_experts(writer: GGUFWriter, config: Config) -> None:
    kind = config["model_type"]
    if kind == "mixtral":
        writer.add_expert_count(config["num_local_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
    elif kind == "qwen3_moe":
        if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
            raise ModelError("llama.cpp has no Qwen 3 with experts in some layers only")
        if not config.get("norm_topk_prob"):
            raise ModelError("llama.cpp always normalises the weights of Qwen 3's experts")
        writer.add_expert_count(config.get("num_experts") or config["num_local_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    elif kind == "deepseek_v3":
        writer.add_expert_count(config["n_routed_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_expert_shared_count(config["n_shared_experts"])
        writer.add_expert_weights_scale(float(config["routed_scaling_factor"]))
        writer.add_expert_weights_norm(bool(config["norm_topk_prob"]))
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])
        writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])


def _add_windows(writer: GGUFWriter, config: Config) -> None:
    kind, window = config["model_type"], config.get("sliding_window")
    if kind == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if kind == "gemma3_text":
        if config.get("attn_logit_softcapping") or config.get("final_logit_softcapping"):
            raise ModelError("llama.cpp has no Gemma 3 with capped logits")
        rope: dict[str, Any] = dict(config.get("rope_parameters") or {})
        local = rope.get("sliding_attention") or {
            "rope_theta": config.get("rope_local_base_freq", 10000.0)
        }
        writer.add_rope_freq_base_swa(float(local["rope_theta"]))
    if kind in _GEMMA_PERIODS:
        _check_period(config, _GEMMA_PERIODS[kind])
        writer.add_sliding_window(int(window or context_length(config)))
    if kind.startswith("qwen") and "sliding_attention" in (config.get("layer_types") or ()):
        raise ModelError("llama.cpp keeps no sliding window of Qwen models")


def _check_period(config: Config, period: int) -> None:
    """llama.cpp takes every `period`-th layer as a full one, whatever the config says."""
    types = config.get("layer_types") or ()
    for number, kind in enumerate(types, 1):
        if (kind == "full_attention") != (number % period == 0):
            raise ModelError(
                f"layer {number} of this model is of another kind than llama.cpp takes it for: {kind}"
            )


def refuse_overflow(most: float, name: str) -> None:
    """Raise ModelError for a weight whose largest magnitude float16 cannot hold."""
    if most > _MOST:
        raise ModelError(
            f"f16 cannot hold {most:.3g}, a weight of {name}", hint="take --quantize bf16"
        )
