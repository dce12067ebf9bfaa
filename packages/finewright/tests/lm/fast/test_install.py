"""Which modules of a model take a fast path, which do not and why, and how they are given back."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

import tiny
from finewright.lm.adapters.lora import LoraLinear, add_lora
from finewright.lm.fast import native, rope
from finewright.lm.fast.install import Fallback, install, uninstall
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch

EXPERTS = "its experts share tensors that take no adapter"
NEIGHBOURS = "its rotation is of another kind"
UNEVEN = "not all of its linears have an adapter"
# All linears adapted, without dropout.
LEFT: Mapping[str, tuple[Fallback, ...]] = {
    "glm4": (Fallback("Glm4Attention", "rope", 2, NEIGHBOURS),),
    "mixtral": (Fallback("MixtralExperts", "mlp", 2, EXPERTS),),
    "qwen2_moe": (Fallback("Qwen2MoeExperts", "mlp", 2, EXPERTS),),
    "qwen3_moe": (Fallback("Qwen3MoeExperts", "mlp", 1, EXPERTS),),
    "deepseek_v3": (
        Fallback("DeepseekV3Attention", "rope", 2, "it rotates by apply_rotary_pos_emb_interleave"),
        Fallback("DeepseekV3Experts", "mlp", 1, EXPERTS),
    ),
}


def adapted(family: str, **fields: Any) -> PreTrainedModel:
    model = tiny.tiny_model(family)
    add_lora(model, LoraSpec(r=4, alpha=8, **fields), seed=0)
    return model


def installed(model: PreTrainedModel) -> dict[str, str]:
    """Paths of the modules with a forward of their own, and the file it is from."""
    return {
        path: module.forward.__func__.__code__.co_filename.rpartition("/")[2]
        for path, module in model.named_modules()
        if "forward" in vars(module)
    }


def logits(model: PreTrainedModel) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(input_ids=torch.arange(3, 14)[None], use_cache=False).logits
    return found


@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_what_a_family_runs_without_is_said(family: str) -> None:
    assert install(adapted(family), LoraLinear) == LEFT.get(family, ())


def test_norms_rotations_and_mlps_of_a_llama_are_ours() -> None:
    model = adapted("llama")
    install(model, LoraLinear)
    tricks = installed(model)
    layers = [f"model.layers.{i}" for i in range(2)]
    norms = {f"{at}.{n}_layernorm" for at in layers for n in ("input", "post_attention")}
    assert tricks.keys() == {
        *norms,
        "model.norm",
        *(f"{at}.{part}" for at in layers for part in ("self_attn", "mlp")),
    }
    assert {tricks[path] for path in (*norms, "model.norm")} == {"norm.py"}
    assert {tricks[f"{at}.mlp"] for at in layers} == {"mlp.py"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dropout": 0.1}, "LoRA dropout draws its mask between the linears"),
        ({"use_dora": True}, "DoRA rescales the output of each linear"),
        ({"target_modules": ("q_proj", "up_proj")}, UNEVEN),
    ],
    ids=["dropout", "DoRA", "some linears"],
)
def test_an_adapter_that_keeps_the_mlps_plain_is_said(fields: dict[str, Any], reason: str) -> None:
    model = adapted("llama", **fields)
    assert install(model, LoraLinear) == (Fallback("LlamaMLP", "mlp", 2, reason),)


def test_mlps_without_any_adapter_are_no_fallback() -> None:
    assert install(adapted("llama", target_modules=("q_proj",)), LoraLinear) == ()
    assert install(tiny.tiny_model("llama").requires_grad_(False), LoraLinear) == ()


def test_trained_norms_are_said() -> None:
    model = adapted("llama")
    for norm in (model.model.norm, model.model.layers[0].input_layernorm):
        norm.weight.requires_grad_()
    left = install(model, LoraLinear)
    assert left == (Fallback("LlamaRMSNorm", "norm", 2, "its weight is trained"),)


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("llama", "its heads are 8 wide, not a multiple of 16"),
        ("gemma2", "its logits are soft-capped"),
    ],
)
def test_attention_that_the_kernel_cannot_take_is_said(
    family: str, reason: str, attention_kernels: None
) -> None:
    model = adapted(family).bfloat16()
    (found,) = [f for f in install(model, LoraLinear) if f.trick == "attention"]
    assert (found.modules, found.reason) == (2, reason)
    with native.off():
        assert not [
            f for f in install(adapted(family).bfloat16(), LoraLinear) if f.trick == "attention"
        ]


@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_uninstall_gives_the_plain_model_back(family: str) -> None:
    model = adapted(family)
    before = logits(model)
    install(model, LoraLinear)
    assert installed(model)
    uninstall(model)
    assert not installed(model)
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_other_models_of_the_class_are_left_alone(family: str) -> None:
    other = tiny.tiny_model(family)
    before = logits(other)
    forwards = {type(m): type(m).forward for m in other.modules()}
    LM(adapted(family), {})
    assert not installed(other)
    assert all(kind.forward is forward for kind, forward in forwards.items())
    assert torch.equal(logits(other), before)
    assert torch.equal(logits(tiny.tiny_model(family)), before)


def test_names_and_parameters_stay() -> None:
    model = adapted("llama")
    before = {name: (id(p), type(p)) for name, p in model.named_parameters()}
    kinds = [type(m) for m in model.modules()]
    install(model, LoraLinear)
    assert {name: (id(p), type(p)) for name, p in model.named_parameters()} == before
    assert [type(m) for m in model.modules()] == kinds


def test_a_model_that_gives_other_numbers_is_taken_back_to_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each module passes its own comparison, and the whole does not."""
    monkeypatch.setattr(rope, "_same", lambda plain: True)  # GLM's rotation passes as Llama's
    model = adapted("glm4")
    before = logits(model)
    lm = LM(model, {})
    assert lm.fallbacks == (Fallback("Glm4ForCausalLM", "all", 1, "other numbers than plain"),)
    assert not installed(model)
    assert torch.equal(logits(model), before)
    assert any("other numbers than plain" in told for told in lm.slow_paths())
