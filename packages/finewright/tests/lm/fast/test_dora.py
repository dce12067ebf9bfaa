"""DoRA against its definition and PEFT's layer, and rsLoRA's scale against PEFT's."""

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import Tensor, nn
from torch.nn import functional as F

from finewright.lm.adapters.lora import DoraLinear, LoraLinear
from finewright.lm.fast.dora import direction_norms, rescaled, squared_norms
from finewright.lm.fast.linear import PlainWeight
from finewright.lm.fast.quantized import Nf4Codes, QuantizedWeight, scratch_bytes
from finewright.schema.adapter import LoraSpec
from referee import assert_close, distance, drawn

pytestmark = pytest.mark.torch

WIDTH, OUT, RANK, ALPHA = 24, 20, 3, 6
both_biases = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])


def linear(*, bias: bool = True) -> nn.Linear:
    made = nn.Linear(WIDTH, OUT, bias=bias)
    for number, parameter in enumerate(made.parameters()):
        parameter.data.copy_(drawn(*parameter.shape, seed=number))
        parameter.requires_grad_(False)
    return made


def dora(base: nn.Linear, **fields: object) -> DoraLinear:
    """With a B that is not zero and magnitudes that are not those of W."""
    spec = LoraSpec(**{"r": RANK, "alpha": ALPHA, "use_dora": True, **fields})
    frozen = PlainWeight(base.weight, RANK)
    made = DoraLinear(base, spec, torch.Generator().manual_seed(3), frozen)
    made.lora_B.data.copy_(drawn(OUT, RANK, seed=4))
    made.lora_magnitude_vector.data.mul_(1 + 0.3 * drawn(OUT, seed=5))
    return made


def peft(base: nn.Linear, like: LoraLinear, **fields: object) -> PeftLinear:
    """PEFT's own layer with the same weights."""
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, **fields)
    layer = PeftLinear(base, "default", config=config, r=RANK, lora_alpha=ALPHA)
    layer.lora_A["default"].weight.data.copy_(like.lora_A.data)
    layer.lora_B["default"].weight.data.copy_(like.lora_B.data)
    if isinstance(like, DoraLinear):
        layer.lora_magnitude_vector["default"].weight.data.copy_(like.lora_magnitude_vector.data)
    return layer


def assert_same(ours: DoraLinear, theirs: PeftLinear, rel: float = 1e-5) -> None:
    """Outputs and all gradients."""
    x = drawn(2, 7, WIDTH, seed=6).requires_grad_()
    their_x = x.detach().clone().requires_grad_()
    upstream = drawn(2, 7, OUT, seed=7)
    y, true = ours(x), theirs(their_x)
    y.backward(upstream)
    true.backward(upstream)
    assert_close(y.detach(), true.detach(), rel)
    assert x.grad is not None
    assert_close(x.grad, their_x.grad, rel)
    pairs = (
        (ours.lora_A, theirs.lora_A["default"].weight),
        (ours.lora_B, theirs.lora_B["default"].weight),
        (ours.lora_magnitude_vector, theirs.lora_magnitude_vector["default"].weight),
    )
    for found, right in pairs:
        assert found.grad is not None
        assert found.grad.norm() > 0
        assert_close(found.grad, right.grad, rel)


@both_biases
@pytest.mark.parametrize("use_rslora", [False, True], ids=["lora", "rslora"])
def test_outputs_and_gradients_are_pefts(bias: bool, use_rslora: bool) -> None:
    ours = dora(linear(bias=bias), use_rslora=use_rslora)
    assert_same(ours, peft(linear(bias=bias), ours, use_dora=True, use_rslora=use_rslora))


@both_biases
def test_outputs_and_gradients_are_pefts_with_dropout(
    bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = (drawn(2, 7, WIDTH, seed=8) > 0).float() * 2
    monkeypatch.setattr(F, "dropout", lambda x, *_, **__: x * mask)
    ours = dora(linear(bias=bias), dropout=0.5).train()
    theirs = peft(linear(bias=bias), ours, use_dora=True, lora_dropout=0.5).train()
    x = drawn(2, 7, WIDTH, seed=6)
    assert distance(ours(x).detach(), ours.eval()(x).detach()) > 1e-2
    assert_same(ours.train(), theirs)


@both_biases
def test_over_a_packed_weight_it_is_pefts_over_that_weight_made_whole(bias: bool) -> None:
    base, whole = linear(bias=bias), linear(bias=bias)
    packed = Nf4Codes.pack(base.weight)
    packed.unpack(whole.weight.data)
    scratch = torch.empty(scratch_bytes(OUT, WIDTH + RANK, torch.float32), dtype=torch.uint8)
    spec = LoraSpec(r=RANK, alpha=ALPHA, use_dora=True)
    frozen = QuantizedWeight(packed, scratch, torch.float32)
    ours = DoraLinear(base, spec, torch.Generator().manual_seed(3), frozen)
    assert_close(ours.lora_magnitude_vector.detach(), whole.weight.norm(dim=1))
    ours.lora_B.data.copy_(drawn(OUT, RANK, seed=4))
    assert_same(ours, peft(whole, ours, use_dora=True))


@both_biases
def test_at_first_it_is_bitwise_the_base(bias: bool) -> None:
    ours = DoraLinear(
        base := linear(bias=bias),
        LoraSpec(r=RANK, alpha=ALPHA, use_dora=True),
        torch.Generator().manual_seed(3),
        PlainWeight(base.weight, RANK),
    )
    x = drawn(7, WIDTH, seed=6)
    assert_close(ours.lora_magnitude_vector.detach(), base.weight.norm(dim=1), rel=1e-6)
    with_adapter = ours(x).detach()
    ours.enabled = False
    assert torch.equal(with_adapter, ours(x))
    assert_close(with_adapter, linear(bias=bias)(x))


def test_switched_off_it_is_the_base_whatever_was_learned() -> None:
    ours, x = dora(linear()), drawn(7, WIDTH, seed=6)
    ours.enabled = False
    assert_close(ours(x), linear()(x))


def test_a_row_of_zeros_stays_one() -> None:
    base = linear(bias=False)
    base.weight.data[4] = 0
    ours = DoraLinear(
        base,
        LoraSpec(r=RANK, alpha=ALPHA, use_dora=True),
        torch.Generator().manual_seed(3),
        PlainWeight(base.weight, RANK),
    )
    x = drawn(7, WIDTH, seed=6)
    assert (ours(x)[:, 4] == 0).all()
    ours.lora_B.data.copy_(drawn(OUT, RANK, seed=4))
    assert ours(x)[:, 4].abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_norms_are_those_of_the_sum(dtype: torch.dtype, size: float) -> None:
    weight = (drawn(OUT, 512, seed=0) * 0.02).to(dtype)
    a, b = drawn(RANK, 512, seed=1) * 0.04, drawn(OUT, RANK, seed=2) * size
    true = (weight.double() + 2.0 * b.double() @ a.double()).norm(dim=1)
    found = direction_norms(weight, squared_norms(weight), a, b, 2.0)
    assert found.dtype == torch.float32
    assert_close(found, true, rel=1e-3 if dtype == torch.bfloat16 else 1e-6)


def test_a_ratio_of_one_changes_no_bit() -> None:
    y, bias = drawn(7, OUT, seed=0).bfloat16(), drawn(OUT, seed=1).bfloat16()
    assert torch.equal(rescaled(y, bias, torch.ones(OUT)), y)


def test_over_bfloat16_the_factors_keep_float32_gradients() -> None:
    ours = dora(linear().to(torch.bfloat16))
    ours(drawn(7, WIDTH, seed=6).bfloat16()).float().sum().backward()
    learned = (ours.lora_A, ours.lora_B, ours.lora_magnitude_vector)
    assert {p.grad.dtype for p in learned if p.grad is not None} == {torch.float32}


def test_without_gradients_the_norms_follow_every_change() -> None:
    ours, x = dora(linear()), drawn(7, WIDTH, seed=6)
    with torch.no_grad():
        ours(x)
        ours.lora_B.mul_(2)
        found = ours(x)
        theirs = peft(linear(), ours, use_dora=True).eval()
        assert_close(found, theirs(x))


def test_without_gradients_the_norms_follow_a_fused_optimizer() -> None:
    ours, x = dora(linear()), drawn(7, WIDTH, seed=6)
    optimizer = torch.optim.AdamW(ours.parameters(), lr=0.1, fused=True)
    ours(x).sum().backward()
    with torch.no_grad():
        ours(x)
    optimizer.step()
    with torch.no_grad():
        assert_close(ours(x), peft(linear(), ours, use_dora=True).eval()(x))


@pytest.mark.parametrize("use_rslora", [False, True], ids=["lora", "rslora"])
def test_the_scale_is_pefts(use_rslora: bool) -> None:
    base, spec = linear(), LoraSpec(r=RANK, alpha=ALPHA, use_rslora=use_rslora)
    ours = LoraLinear(base, spec, torch.Generator().manual_seed(3), PlainWeight(base.weight, RANK))
    ours.lora_B.data.copy_(drawn(OUT, RANK, seed=4))
    theirs = peft(linear(), ours, use_rslora=use_rslora)
    x: Tensor = drawn(7, WIDTH, seed=6)
    assert ours.scale == pytest.approx(theirs.scaling["default"])
    assert_close(ours(x).detach(), theirs(x).detach())
