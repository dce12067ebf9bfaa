"""How many tokens a model was made for: the positions of its config, and how far its RoPE is stretched.

YaRN (Peng et al. 2023, arXiv:2309.00071) and its kin name the length they stretch from; plain linear and
dynamic scaling (Chen et al. 2023, arXiv:2306.15595) multiply the config's own."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from finewright.schema.common import Problem

_MOST = 1e12
_STRETCHED = ("linear", "dynamic")
# Llama 3.2 stretches 8,192 by 32 and was trained on the 131,072 of its config.
_WHOLE = "llama3"
# Gemma 3's configs count the stretch in: 131,072 positions beside a linear factor of 8.
_COUNTED_IN = ("gemma3", "gemma3_text")


def context_of(config: Mapping[str, Any]) -> int | None:  # Any: a config.json as it was read
    """The longest row that the config promises to hold; None where it does not say."""
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, Mapping) else config
    positions = text.get("max_position_embeddings", text.get("n_positions"))  # GPT-2's name
    if not _is_number(positions) or positions < 1:
        return None
    rope = text.get("rope_scaling") or text.get("rope_parameters")
    stretched = _stretch(rope, positions, text) if isinstance(rope, Mapping) else 0
    return max(int(positions), stretched)


def no_room(whose: str, num_tokens: int, max_new_tokens: int, name: str, reads: int | None) -> str:
    """What to say of a prompt that leaves a model no room for its answer; empty where it has room, or where
    nobody knows what the model reads."""
    if reads is None or num_tokens + max_new_tokens <= reads:
        return ""
    return (
        f"{whose} {num_tokens:,} tokens and the answer up to {max_new_tokens:,} more; {name} reads at most"
        f" {reads:,}"
    )


def beyond(max_length: int, context: int) -> Problem:
    """What to say where rows may be longer than the model was made for."""
    return Problem(
        level="warning",
        key="train.max_length",
        message=f"{max_length:,} tokens are more than the {context:,} that the model was made for, by its"
        " config.json: it has not learned to read what lies beyond them",
        hint=f"set train.max_length to at most {context}",
    )


def _stretch(
    rope: Mapping[str, Any], positions: float, text: Mapping[str, Any]
) -> int:  # Any: as above
    factor, original = rope.get("factor"), rope.get("original_max_position_embeddings")
    kind = rope.get("rope_type", rope.get("type"))
    if not _is_number(factor) or kind == _WHOLE:
        return 0
    if _is_number(original):
        return int(factor * original)
    if kind not in _STRETCHED or text.get("model_type") in _COUNTED_IN:
        return 0
    return int(factor * positions)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _MOST
