"""The context of a config, with what its RoPE scaling adds, as the models' cards have it."""

from typing import Any

import pytest

from finewright.estimate.context import context_of

CASES: dict[str, tuple[dict[str, Any], int | None]] = {
    "SmolLM2": ({"max_position_embeddings": 8192, "rope_scaling": None}, 8192),
    "Qwen2.5 as it is": ({"max_position_embeddings": 32768}, 32768),
    "Qwen2.5 with its card's YaRN": (
        {
            "max_position_embeddings": 32768,
            "rope_scaling": {
                "type": "yarn",
                "factor": 4.0,
                "original_max_position_embeddings": 32768,
            },
        },
        131072,
    ),
    "Llama 3.1, which counts its stretch in": (
        {
            "max_position_embeddings": 131072,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "original_max_position_embeddings": 8192,
            },
        },
        131072,
    ),
    "Llama 3.2, whose factor would give twice its card's 128k": (
        {
            "max_position_embeddings": 131072,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 32.0,
                "original_max_position_embeddings": 8192,
            },
        },
        131072,
    ),
    "linear": (
        {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}},
        8192,
    ),
    "Gemma 3, whose linear factor is counted in": (
        {
            "model_type": "gemma3",
            "text_config": {
                "model_type": "gemma3_text",
                "max_position_embeddings": 131072,
                "rope_scaling": {"rope_type": "linear", "factor": 8.0},
            },
        },
        131072,
    ),
    "transformers 5's name": (
        {
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0},
        },
        16384,
    ),
    "GPT-2, by a name of its own": ({"n_positions": 1024}, 1024),
    "nothing said": ({}, None),
    "nonsense": ({"max_position_embeddings": "many"}, None),
    "nonsense beside it": (
        {"max_position_embeddings": 4096, "rope_scaling": {"factor": "x"}},
        4096,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_context_is_what_the_card_says(name: str) -> None:
    config, tokens = CASES[name]
    assert context_of(config) == tokens
