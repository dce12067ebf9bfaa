"""The rotation of queries and keys against the formula in float64 and transformers' own functions."""

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.models.glm4 import modeling_glm4
from transformers.models.llama import modeling_llama
from transformers.models.phi3 import modeling_phi3

import tiny
from finewright.lm.fast import rope
from referee import assert_close, distance, drawn

pytestmark = pytest.mark.torch

LLAMA = modeling_llama.apply_rotary_pos_emb


def angles(tokens: int, rotary: int) -> tuple[Tensor, Tensor]:
    """cos and sin (1, T, rotary) as a model makes them: both halves alike."""
    half = drawn(1, tokens, rotary // 2, seed=7)
    both = torch.cat((half, half), -1)
    return both.cos(), both.sin()


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The formula: pairs (i, i + rotary / 2) are complex numbers that are multiplied by e^(i angle)."""
    rotary = cos.shape[-1]
    a, b = x[..., :rotary].chunk(2, -1)
    factor = torch.complex(*(t[..., : rotary // 2].double() for t in (cos, sin)))[:, None]
    product = torch.complex(a.double(), b.double()) * factor
    return torch.cat((product.real, product.imag, x[..., rotary:].double()), -1)


def refuse(*_: object, **__: object) -> tuple[Tensor, Tensor]:
    raise AssertionError("the plain rotation was called")


@pytest.mark.parametrize(("width", "rotary"), [(8, 8), (20, 8), (32, 32), (80, 64)])
def test_heads_and_gradients_are_turned_as_the_formula_says(
    width: int, rotary: int, either_way: None
) -> None:
    q, k = (drawn(1, heads, 5, width, seed=heads).requires_grad_() for heads in (4, 2))
    cos, sin = angles(5, rotary)
    found = rope.apply_rope(q, k, cos, sin, plain=refuse)
    for leaf, ours in zip((q, k), found, strict=True):
        exact = leaf.detach().double().requires_grad_()
        true = turned(exact, cos, sin)
        upstream = drawn(*leaf.shape, seed=9)
        ours.backward(upstream)
        true.backward(upstream.double())
        assert_close(ours, true)
        assert_close(leaf.grad, exact.grad)


@pytest.mark.parametrize("module", [modeling_llama, modeling_phi3], ids=["llama", "phi3"])
def test_it_is_the_function_of_transformers(module: ModuleType, either_way: None) -> None:
    q, k = (drawn(1, 5, heads, 16, seed=heads).transpose(1, 2) for heads in (4, 2))
    cos, sin = angles(5, 16)
    found = rope.apply_rope(q, k, cos, sin, plain=refuse)
    for ours, true in zip(found, module.apply_rotary_pos_emb(q, k, cos, sin), strict=True):
        assert_close(ours, true)


def test_in_bfloat16_it_is_nearer_the_formula_than_the_plain_function(either_way: None) -> None:
    q, k = (drawn(1, 4, 50, 16, seed=i).bfloat16() for i in range(2))
    cos, sin = (t.bfloat16() for t in angles(50, 16))
    ours, _ = rope.apply_rope(q, k, cos, sin, plain=refuse)
    plain, _ = LLAMA(q, k, cos, sin)
    true = turned(q, cos, sin)
    assert ours.dtype == torch.bfloat16
    assert distance(ours, true) < distance(plain, true)


@pytest.mark.parametrize(
    ("shape", "extra"),
    [((2, 4, 5, 8), {}), ((1, 5, 4, 8), {"unsqueeze_dim": 2})],
    ids=["batch of two", "other axes"],
)
def test_other_shapes_and_arguments_go_to_the_plain_function(
    shape: tuple[int, ...], extra: dict[str, int]
) -> None:
    q, k = (drawn(*shape, seed=i) for i in range(2))
    cos, sin = (t.expand(shape[0], -1, -1) for t in angles(5, 8))
    found = rope.apply_rope(q, k, cos, sin, plain=LLAMA, **extra)
    for ours, true in zip(found, LLAMA(q, k, cos, sin, **extra), strict=True):
        assert torch.equal(ours, true)


def test_mixed_number_formats_go_to_the_plain_function() -> None:
    q, k = (drawn(1, 2, 5, 8, seed=i).bfloat16() for i in range(2))
    found, _ = rope.apply_rope(q, k, *angles(5, 8), plain=LLAMA)
    assert torch.equal(found, LLAMA(q, k, *angles(5, 8))[0])


def attention_of(family: str) -> nn.Module:
    module: nn.Module = tiny.tiny_model(family).model.layers[0].self_attn
    return module


def test_deepseeks_interleaved_rotation_stays_its_own() -> None:
    module = attention_of("deepseek_v3")
    assert rope.is_rotary(module)
    assert rope.install(module) == "it rotates by apply_rotary_pos_emb_interleave"
    assert "forward" not in vars(module)


def test_a_rotation_of_neighbours_is_of_another_kind() -> None:
    module = attention_of("glm4")
    assert rope.install(module) == "its rotation is of another kind"
    assert "forward" not in vars(module)
    assert not torch.allclose(
        modeling_glm4.apply_rotary_pos_emb(*_probe())[0], LLAMA(*_probe())[0], atol=1e-2
    )


def _probe() -> tuple[Tensor, ...]:
    return drawn(1, 2, 5, 8, seed=0), drawn(1, 2, 5, 8, seed=1), *angles(5, 8)


def test_the_modelling_module_keeps_its_function() -> None:
    module = attention_of("llama")
    assert rope.install(module) == ""
    assert modeling_llama.apply_rotary_pos_emb is LLAMA
    assert type(module).forward.__globals__["apply_rotary_pos_emb"] is LLAMA
    assert module.forward.__func__.__globals__["apply_rotary_pos_emb"] is not LLAMA


def test_a_module_without_rotation_is_not_looked_at() -> None:
    assert not rope.is_rotary(nn.Linear(2, 2))
    assert not rope.is_rotary(tiny.tiny_model("llama").model.layers[0].mlp)


@torch.no_grad()
def test_decoding_with_a_cache_and_batches_of_rows_are_as_plain() -> None:
    ours, plain = tiny.tiny_model("llama"), tiny.tiny_model("llama")
    for layer in ours.model.layers:
        assert rope.install(layer.self_attn) == ""
    ids = torch.arange(3, 13)[None]
    found = []
    for model in (ours, plain):
        cache = DynamicCache(config=model.config)
        model(input_ids=ids, past_key_values=cache, use_cache=True)
        step = model(input_ids=ids[:, :1], past_key_values=cache, use_cache=True).logits
        rows = model(input_ids=ids.view(2, 5), use_cache=False).logits
        found.append((step, rows))
    assert_close(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
