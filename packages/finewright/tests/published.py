"""Sizes of published models, as their config.json has them."""

from typing import Any

_KEYS = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "vocab_size"),
)


def config(model_type: str, *sizes: int, **more: Any) -> dict[str, Any]:
    """Width, inner width, layers, heads, heads of keys, vocabulary; then what the family has beside."""
    return {"model_type": model_type, **dict(zip(_KEYS, sizes, strict=True)), **more}


QWEN_7B = config("qwen2", 3584, 18944, 28, 28, 4, 152064)
QWEN_HALF = config("qwen2", 896, 4864, 24, 14, 2, 151936, tie_word_embeddings=True)
LLAMA_8B = config("llama", 4096, 14336, 32, 32, 8, 128256)
LLAMA_65B = config("llama", 8192, 22016, 80, 64, 64, 32000)
LLAMA_70B = config("llama", 8192, 28672, 80, 64, 8, 128256)
SMOL = config("llama", 576, 1536, 30, 9, 3, 49152, tie_word_embeddings=True)
GEMMA3_270M = config("gemma3_text", 640, 2048, 18, 4, 1, 262144, head_dim=256)
GEMMA2_2B = config("gemma2", 2304, 9216, 26, 8, 4, 256000, head_dim=256)
# It leaves its heads to the family's defaults.
GEMMA3_4B = {
    key: value
    for key, value in config("gemma3_text", 2560, 10240, 34, 0, 0, 262208, head_dim=256).items()
    if "heads" not in key
}
PHI = config("phi3", 3072, 8192, 32, 32, 32, 32064)
MIXTRAL = config(
    *("mixtral", 4096, 14336, 32, 32, 8, 32000), num_local_experts=8, num_experts_per_tok=2
)
QWEN3_MOE = config(
    *("qwen3_moe", 2048, 6144, 48, 32, 4, 151936),
    **{"moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8, "head_dim": 128},
)
DEEPSEEK_V3 = config(
    *("deepseek_v3", 7168, 18432, 61, 128, 128, 129280),
    **{"moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1},
    **{"num_experts_per_tok": 8, "first_k_dense_replace": 3, "n_group": 8, "topk_group": 4},
    **{"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128},
    **{"qk_rope_head_dim": 64, "v_head_dim": 128},
)
