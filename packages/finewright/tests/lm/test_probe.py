"""The look that decides whether the tricks stay on, in bfloat16 above all, where noise could decide it."""

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

import tiny
from finewright.lm import probe
from finewright.lm.adapters.lora import LoraLinear, add_lora
from finewright.lm.fast import rope
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch


def rounded(family: str) -> PreTrainedModel:
    model = tiny.tiny_model(family).to(torch.bfloat16)
    add_lora(model, LoraSpec(), seed=0)
    return model


def of_depth(family: str, depth: int, **settings: object) -> PreTrainedModel:
    config = copy.deepcopy(tiny.tiny_model(family).config)
    config.num_hidden_layers = depth
    for name, value in settings.items():
        setattr(config, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return model


@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_rounding_takes_no_trick_off(family: str) -> None:
    packs, fallbacks = probe.speed_up(rounded(family), LoraLinear)
    assert packs
    assert "other numbers than plain" not in [left.reason for left in fallbacks]


@pytest.mark.parametrize("family", tiny.HYBRIDS)
def test_layers_that_ignore_the_segments_are_seen_through_the_rounding(family: str) -> None:
    packs, _ = probe.speed_up(rounded(family), LoraLinear)
    assert not packs


def test_a_wrong_formula_is_not_taken_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """GLM turns pairs of neighbours, Llama halves: a rotation that passes for the other's."""
    monkeypatch.setattr(rope, "_same", lambda plain: True)
    _, fallbacks = probe.speed_up(rounded("glm4"), LoraLinear)
    assert [left.reason for left in fallbacks] == ["other numbers than plain"]


@pytest.mark.parametrize(
    ("family", "depth", "settings", "last"),
    [
        ("gemma3_text", 8, {"layer_types": ["sliding_attention"] * 5 + ["full_attention"] * 3}, 5),
        ("deepseek_v3", 6, {"first_k_dense_replace": 3}, 3),
        ("qwen3_moe", 6, {"mlp_only_layers": [0, 4]}, 1),
        ("llama", 40, {}, 1),
        ("llama", 1, {}, 0),
    ],
)
def test_the_first_layers_of_every_kind_are_looked_at(
    family: str, depth: int, settings: dict[str, object], last: int
) -> None:
    """And no more: rounding grows with depth."""
    model = of_depth(family, depth, **settings)
    met: list[int] = []
    for index, layer in enumerate(model.base_model.layers):
        layer.register_forward_pre_hook(lambda *_, index=index: met.append(index))
    _, fallbacks = probe.speed_up(model, LoraLinear)
    assert max(met) == last
    assert "other numbers than plain" not in [left.reason for left in fallbacks]
