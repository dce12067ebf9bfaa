"""A LoRA linear with the delta inside the frozen weight's GEMM, against the formula and PEFT's layer."""

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import Tensor, nn
from torch.nn import functional as F

from finewright.lm.adapters.lora import LoraLinear
from finewright.lm.fast.linear import PlainWeight, lora_linear, roomy_linear
from finewright.schema.adapter import LoraSpec
from referee import assert_close, distance, drawn

pytestmark = pytest.mark.torch

SCALE = 0.7
SPEC = LoraSpec(r=3, alpha=6)


def roomy(weight: Tensor, lora_b: Tensor, scale: float = SCALE) -> Tensor:
    return torch.cat((weight, (lora_b.detach() * scale).to(weight.dtype)), 1)


def layer_of(*, bias: bool = True, dtype: torch.dtype = torch.float32) -> LoraLinear:
    """8 -> 5 with a B that is not zero."""
    base = nn.Linear(8, 5, bias=bias)
    for number, parameter in enumerate(base.parameters()):
        parameter.data.copy_(drawn(*parameter.shape, seed=number))
    base.to(dtype)
    frozen = PlainWeight(base.weight, SPEC.r)
    layer = LoraLinear(base, SPEC, torch.Generator().manual_seed(3), frozen)
    layer.requires_grad_(False)
    layer.lora_A.requires_grad_()
    layer.lora_B.data.copy_(drawn(5, 3, seed=4))
    layer.lora_B.requires_grad_()
    return layer


def by_the_formula(layer: LoraLinear, x: Tensor) -> Tensor:
    """In float64, from the factors as they are."""
    weight, bias, a, b = (
        t.detach().double()
        for t in (layer.base.weight, layer.base.bias, layer.lora_A, layer.lora_B)
    )
    return F.linear(x.double(), weight, bias) + layer.scale * x.double() @ a.t() @ b.t()


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("x_learns", [True, False], ids=["x learns", "x is given"])
@pytest.mark.parametrize("shape", [(1, 6, 8), (6, 8), (2, 3, 8)], ids=str)
def test_the_gradients_are_those_of_plain_autograd(
    shape: tuple[int, ...], x_learns: bool, bias: bool
) -> None:
    operands = [drawn(*shape, seed=0), drawn(5, 8, seed=1), drawn(5, seed=2) if bias else None]
    factors = [drawn(3, 8, seed=3), drawn(5, 3, seed=4)]
    x, weight, b, lora_a, lora_b = [None if t is None else t.clone() for t in operands + factors]
    x.requires_grad_(x_learns)
    exact_x, exact_w, exact_b, exact_la, exact_lb = [
        None if t is None else t.double() for t in operands + factors
    ]
    for t in (lora_a, lora_b, exact_x, exact_la, exact_lb):
        t.requires_grad_()
    upstream = drawn(*shape[:-1], 5, seed=5)

    y = lora_linear(x, roomy(weight, lora_b), b, lora_a, lora_b, SCALE)
    y.backward(upstream)
    true = F.linear(exact_x, exact_w, exact_b) + SCALE * (exact_x @ exact_la.t()) @ exact_lb.t()
    true.backward(upstream.double())

    assert_close(y, true)
    assert_close(lora_a.grad, exact_la.grad)
    assert_close(lora_b.grad, exact_lb.grad)
    if x_learns:
        assert_close(x.grad, exact_x.grad)
    else:
        assert x.grad is None


def test_a_low_part_made_elsewhere_gets_its_gradient() -> None:
    inputs = [drawn(2, 6, 8, seed=0), drawn(2, 6, 3, seed=1), drawn(5, 3, seed=2)]
    weight, bias, upstream = drawn(5, 8, seed=3), drawn(5, seed=4), drawn(2, 6, 5, seed=5)
    x, low, lora_b = (t.clone().requires_grad_() for t in inputs)
    exact_x, exact_low, exact_b = (t.double().requires_grad_() for t in inputs)

    y = roomy_linear(x, low, roomy(weight, lora_b), bias, lora_b, SCALE)
    y.backward(upstream)
    true = F.linear(exact_x, weight.double(), bias.double()) + SCALE * exact_low @ exact_b.t()
    true.backward(upstream.double())

    assert_close(y, true)
    for found, right in zip((x, low, lora_b), (exact_x, exact_low, exact_b), strict=True):
        assert_close(found.grad, right.grad)


def test_over_bfloat16_the_factors_get_float32_gradients() -> None:
    x = drawn(6, 8, seed=0).bfloat16().requires_grad_()
    lora_a, lora_b = drawn(3, 8, seed=3).requires_grad_(), drawn(5, 3, seed=4).requires_grad_()
    weight = roomy(drawn(5, 8, seed=1).bfloat16(), lora_b)
    y = lora_linear(x, weight, None, lora_a, lora_b, SCALE)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (torch.bfloat16, torch.bfloat16)
    assert (lora_a.grad.dtype, lora_b.grad.dtype) == (torch.float32, torch.float32)


def test_a_delta_below_the_bases_last_place_is_not_lost() -> None:
    """Base and delta are rounded once: PEFT adds the delta to an output that is rounded already."""
    base = nn.Linear(64, 48, bias=False).bfloat16()
    base.weight.data.copy_(drawn(48, 64, seed=1))
    spec = LoraSpec(r=4, alpha=4)
    frozen = PlainWeight(base.weight, spec.r)
    ours = LoraLinear(base, spec, torch.Generator().manual_seed(3), frozen)
    ours.lora_B.data.copy_(1e-2 * drawn(48, 4, seed=4))
    peft = PeftLinear(base, "default", config=LoraConfig(r=4, lora_alpha=4), r=4, lora_alpha=4)
    peft.lora_A["default"].weight.data.copy_(ours.lora_A.data)
    peft.lora_B["default"].weight.data.copy_(ours.lora_B.data)
    x = drawn(200, 64, seed=0).bfloat16()
    delta = x.double() @ ours.lora_A.detach().double().t() @ ours.lora_B.detach().double().t()
    true = x.double() @ base.weight.detach().double().t() + delta

    with torch.no_grad():
        assert distance(ours(x), true) < distance(peft(x), true)


@pytest.mark.parametrize("fused", [False, True], ids=["plain AdamW", "fused AdamW"])
@pytest.mark.parametrize("learning", [True, False], ids=["in training", "without gradients"])
def test_after_a_step_the_output_is_that_of_the_stepped_factors(
    fused: bool, learning: bool
) -> None:
    layer, x = layer_of(), drawn(6, 8, seed=0)
    optimizer = torch.optim.AdamW([layer.lora_A, layer.lora_B], lr=0.1, fused=fused)
    for _ in range(3):
        layer(x).square().sum().backward()
        before = layer.lora_B.detach().clone()
        optimizer.step()
        assert not torch.equal(layer.lora_B, before)
        with torch.set_grad_enabled(learning):
            assert_close(layer(x), by_the_formula(layer, x))


@pytest.mark.parametrize("fused", [False, True], ids=["plain AdamW", "fused AdamW"])
def test_a_forward_without_gradients_between_backward_and_step_leaves_nothing_stale(
    fused: bool,
) -> None:
    """As a method does that asks the reference model beside the policy."""
    layer, x = layer_of(), drawn(6, 8, seed=0)
    optimizer = torch.optim.AdamW([layer.lora_A, layer.lora_B], lr=0.1, fused=fused)
    loss = layer(x).square().sum()
    with torch.no_grad():
        layer(x)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        assert_close(layer(x), by_the_formula(layer, x))


def test_a_factor_that_is_set_is_used() -> None:
    layer, x = layer_of(), drawn(6, 8, seed=0)
    with torch.no_grad():
        layer(x)
        layer.lora_B.copy_(drawn(5, 3, seed=9))
        assert_close(layer(x), by_the_formula(layer, x))


def test_an_earlier_graph_keeps_its_gradients_when_the_room_is_written_again() -> None:
    layer, x = layer_of(), drawn(6, 8, seed=0)
    first, second = layer(x), layer(2 * x)
    (first.sum() + second.sum()).backward()
    together, layer.lora_A.grad = layer.lora_A.grad, None
    layer(3 * x).sum().backward()
    assert_close(layer.lora_A.grad, together)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_switched_off_it_is_bitwise_the_layer_with_a_zero_b(bias: bool, dtype: torch.dtype) -> None:
    layer, x = layer_of(bias=bias, dtype=dtype), drawn(2, 6, 8, seed=0).to(dtype)
    with torch.no_grad():
        layer.enabled = False
        off = layer(x)
        layer.enabled = True
        assert not torch.equal(layer(x), off)
        layer.lora_B.zero_()
        assert torch.equal(layer(x), off)
    assert_close(off, F.linear(x, layer.base.weight, layer.base.bias), rel=1e-2)


def test_the_base_keeps_its_numbers_and_its_name() -> None:
    base = nn.Linear(8, 5)
    before = base.weight.detach().clone()
    frozen = PlainWeight(base.weight, 3)
    layer = LoraLinear(base, SPEC, torch.Generator().manual_seed(0), frozen)
    layer.lora_B.data.normal_()
    layer(drawn(6, 8, seed=0)).sum().backward()
    assert torch.equal(layer.base.weight, before)
    assert layer.base.weight.grad is None
    assert dict(layer.named_parameters()).keys() == {
        *("lora_A", "lora_B", "base.weight", "base.bias")
    }
