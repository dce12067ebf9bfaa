"""Shapes from config.json are compared with transformers' own modules, built without memory."""

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from finewright.errors import ModelError
from finewright.estimate.families import families, shape_of
from finewright.estimate.shape import ModelShape
from finewright.lm.adapters.ia3 import targets_of
from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)
from published import DEEPSEEK_V3, GEMMA3_4B, LLAMA_8B, LLAMA_70B, MIXTRAL, QWEN_7B, config

pytestmark = pytest.mark.torch

# What the makers and the hub say of them.
KNOWN = [
    (QWEN_7B, 7_615_616_512),
    (LLAMA_8B, 8_030_261_248),
    (LLAMA_70B, 70_553_706_496),
    (MIXTRAL, 46_702_792_704),
]


def built(config: PreTrainedConfig) -> PreTrainedModel:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(copy.deepcopy(config))


def small(family: str, **more: Any) -> dict[str, Any]:
    """A config with sizes that differ from each other, as few layers as show every kind."""
    sizes = {"moe_intermediate_size": 40, "num_experts_per_tok": 2, "pad_token_id": None}
    if family.startswith("deepseek"):
        sizes |= {"n_routed_experts": 8, "n_group": 2, "topk_group": 1, "q_lora_rank": 24}
        sizes |= {"kv_lora_rank": 20, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8}
        return config(family, 96, 144, 5, 6, 6, 1000, **{**sizes, "v_head_dim": 10, **more})
    experts = {"num_local_experts" if family == "gpt_oss" else "num_experts": 4}
    return config(family, 96, 144, 5, 6, 3, 1000, **{**sizes, **experts, **more})


def config_of(data: dict[str, Any]) -> PreTrainedConfig:
    known = dict(data)
    return CONFIG_MAPPING[known.pop("model_type")](**known)


def pair(data: dict[str, Any]) -> tuple[ModelShape, PreTrainedModel]:
    config = config_of(data)
    full = config.to_dict() | {"model_type": data["model_type"]}
    return shape_of(full), built(config)


VARIANTS = [
    *((family, {}) for family in families()),
    ("llama", {"attention_bias": True, "mlp_bias": True}),
    ("llama", {"head_dim": 8, "tie_word_embeddings": True}),
    ("qwen2", {"tie_word_embeddings": True}),
    ("qwen3", {"attention_bias": True}),
    ("qwen2_moe", {"decoder_sparse_step": 2, "shared_expert_intermediate_size": 56}),
    ("qwen3_moe", {"mlp_only_layers": [0, 3], "head_dim": 20}),
    ("deepseek_v2", {"q_lora_rank": None, "first_k_dense_replace": 1}),
    ("deepseek_v3", {"attention_bias": True, "first_k_dense_replace": 2}),
]


@pytest.mark.parametrize(("family", "more"), VARIANTS)
def test_parameters_are_those_of_transformers(family: str, more: dict[str, Any]) -> None:
    shape, model = pair(small(family, **more))
    assert shape.parameters == model.num_parameters()
    assert shape.embedding == sum(
        p.numel()
        for p in {
            id(m.weight): m.weight
            for m in (model.get_input_embeddings(), model.get_output_embeddings())
        }.values()
    )


@pytest.mark.parametrize(("family", "more"), VARIANTS)
def test_the_linears_are_those_that_take_adapters(family: str, more: dict[str, Any]) -> None:
    shape, model = pair(small(family, **more))
    head = model.get_output_embeddings()
    theirs = Counter(
        (path.rpartition(".")[2], m.in_features, m.out_features, m.bias is not None)
        for path, m in model.named_modules()
        if type(m) is nn.Linear and m is not head
    )
    ours: Counter[tuple[str, int, int, bool]] = Counter()
    for count, on in shape.find_targets("all-linear"):
        ours[(on.name, on.inputs, on.outputs, on.bias)] += count
    assert ours == theirs


@pytest.mark.parametrize(("data", "parameters"), KNOWN)
def test_published_sizes_are_right(data: dict[str, Any], parameters: int) -> None:
    assert shape_of(data).parameters == parameters


@pytest.mark.parametrize("data", [QWEN_7B, LLAMA_8B, LLAMA_70B, MIXTRAL, DEEPSEEK_V3])
def test_published_shapes_are_those_that_transformers_builds(data: dict[str, Any]) -> None:
    config = config_of(data)
    config.num_hidden_layers = 4 if data is DEEPSEEK_V3 else 1
    shape = shape_of({**data, "num_hidden_layers": config.num_hidden_layers})
    assert shape.parameters == built(config).num_parameters()


def test_a_mixture_computes_with_a_part_of_itself() -> None:
    """Mixtral's paper (arXiv:2401.04088) says 47B and 13B, DeepSeek-V3's (arXiv:2412.19437) 671B and 37B."""
    mixtral, deepseek = shape_of(MIXTRAL), shape_of(DEEPSEEK_V3)
    assert round(mixtral.parameters / 1e9) == 47
    assert round(mixtral.active / 1e9) == 13
    assert round(deepseek.parameters / 1e9) == 671
    assert round((deepseek.active - deepseek.vocabulary * deepseek.hidden) / 1e9) == 37
    assert shape_of(LLAMA_8B).active == shape_of(LLAMA_8B).parameters


def test_the_text_part_of_a_config_with_eyes_is_read() -> None:
    """Gemma 3 4B, whose text part leaves heads and vocabulary to the defaults; the hub counts 3.88B in it."""
    text = {key: GEMMA3_4B[key] for key in ("model_type", "hidden_size", "intermediate_size")}
    text["num_hidden_layers"] = 34
    data = {"model_type": "gemma3", "text_config": text, "vision_config": {"hidden_size": 1152}}
    assert shape_of(data).parameters == 3_880_263_168
    assert shape_of(data).tied


ADAPTERS: list[AdapterSpec] = [
    LoraSpec(r=4),
    LoraSpec(r=3, use_dora=True),
    LoraSpec(r=2, target_modules=("q_proj", "o_proj")),
    IA3Spec(),
    PrefixSpec(num_virtual_tokens=7),
    PromptSpec(num_virtual_tokens=5),
    FullSpec(),
]


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma2", "mixtral"])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_trained_numbers_are_those_of_the_adapters(
    family: str, adapter: AdapterSpec, tiny_model: Any
) -> None:
    from finewright.lm.adapters.kinds import add_adapter
    from finewright.lm.model import LM

    model = tiny_model(family)
    shape = shape_of(model.config.to_dict())
    if isinstance(adapter, IA3Spec):
        names = {path.rpartition(".")[2] for path in targets_of(model, adapter).paths}
        assert {on.name for _, on in shape.on_adapters(adapter)} == names
    lm = LM(model, add_adapter(model, adapter, seed=0))
    assert shape.trainable(adapter) == sum(p.numel() for p in lm.parameters())


def test_the_cache_is_that_of_grouped_heads() -> None:
    """Llama 3.1 8B: 32 layers x 2 x 8 heads x 128 numbers, 128 KiB a token in bfloat16."""
    assert 2 * shape_of(LLAMA_8B).cache_per_token == 128 * 1024


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": -1}, "hidden_size is -1"),
        ({"num_hidden_layers": 2.5}, "num_hidden_layers is 2.5"),
        (
            {"num_hidden_layers": 99_999_999_999},
            "num_hidden_layers is 99,999,999,999; no model has",
        ),
        ({"intermediate_size": 10**9}, "intermediate_size is 1,000,000,000; no model has"),
        ({"max_position_embeddings": "many"}, "max_position_embeddings is 'many'"),
        ({"vocab_size": "many"}, "vocab_size is 'many'"),
        ({"model_type": "mamba"}, "no closed formula knows model_type 'mamba'"),
    ],
)
def test_a_wrong_config_is_one_line(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        shape_of({**LLAMA_8B, **change}, "m/config.json")
    assert str(caught.value).startswith("m/config.json: ")
    assert "\n" not in str(caught.value)
