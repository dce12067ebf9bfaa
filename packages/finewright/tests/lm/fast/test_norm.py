"""RMSNorm as one node against the formula in float64 and the modules that transformers has."""

import pytest
import torch
from torch import Tensor, nn
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from finewright.lm.fast import norm
from referee import assert_close, distance, drawn

pytestmark = pytest.mark.torch

EPS = 1e-3
KINDS = {"llama": LlamaRMSNorm, "gemma": Gemma3RMSNorm}
every_kind = pytest.mark.parametrize("kind", KINDS)


def module_of(kind: str, *, eps: float = EPS, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A frozen norm of width 24 whose weight is not the neutral one."""
    module = KINDS[kind](24, eps=eps)
    module.weight.data.add_(0.3 * drawn(24, seed=5))
    return module.to(dtype).requires_grad_(False)


def by_the_formula(x: Tensor, module: nn.Module) -> Tensor:
    """x / rms(x) * w in float64, where Gemma keeps w - 1."""
    eps = getattr(module, "eps", None) or module.variance_epsilon
    weight = module.weight.double() + (1 if isinstance(module, Gemma3RMSNorm) else 0)
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


@every_kind
@pytest.mark.parametrize("shape", [(24,), (7, 24), (1, 7, 24), (2, 3, 4, 24)], ids=str)
def test_output_and_gradient_are_those_of_the_formula(
    kind: str, shape: tuple[int, ...], either_way: None
) -> None:
    module, upstream = module_of(kind), drawn(*shape, seed=1)
    assert norm.install(module) == ""
    x = drawn(*shape, seed=0).requires_grad_()
    exact = x.detach().double().requires_grad_()

    y = module(x)
    y.backward(upstream)
    true = by_the_formula(exact, module)
    true.backward(upstream.double())

    assert_close(y, true)
    assert_close(x.grad, exact.grad)


@every_kind
@pytest.mark.parametrize("eps", [1e-6, 1e-5, 0.1])
def test_epsilon_is_the_modules_own(kind: str, eps: float, either_way: None) -> None:
    """Small inputs show it."""
    module, plain = module_of(kind, eps=eps), module_of(kind, eps=eps)
    assert norm.install(module) == ""
    x = drawn(5, 24, seed=0) * eps**0.5
    assert_close(module(x), plain(x))


@every_kind
def test_heads_read_in_place_get_the_same(kind: str, either_way: None) -> None:
    """Qwen 3 and Gemma 3 normalise queries and keys head by head."""
    module, plain = module_of(kind), module_of(kind)
    assert norm.install(module) == ""
    heads = drawn(1, 6, 4, 30, seed=0)[..., 3:27].transpose(1, 2).requires_grad_()
    (ours,) = torch.autograd.grad(module(heads).square().sum(), heads)
    (true,) = torch.autograd.grad(plain(heads).square().sum(), heads)
    assert_close(module(heads), plain(heads))
    assert_close(ours, true)


@every_kind
def test_in_bfloat16_it_is_as_near_the_formula_as_the_plain_module(
    kind: str, either_way: None
) -> None:
    module, plain = (module_of(kind, dtype=torch.bfloat16) for _ in range(2))
    assert norm.install(module) == ""
    x, upstream = (drawn(400, 24, seed=i).bfloat16() for i in range(2))
    x.requires_grad_()
    exact = x.detach().double().requires_grad_()
    true = by_the_formula(exact, plain)
    true.backward(upstream.double())
    far = {}
    for name, each in (("ours", module), ("plain", plain)):
        y = each(x)
        (grad,) = torch.autograd.grad(y, x, upstream)
        assert (y.dtype, grad.dtype) == (torch.bfloat16, torch.bfloat16)
        far[name] = distance(y.detach(), true.detach()), distance(grad, exact.grad)
    # Gemma's module rounds once, as ours does: only the order of sums differs
    assert all(ours <= 1.001 * plains for ours, plains in zip(*far.values(), strict=True))


def test_a_trained_weight_stays_plain() -> None:
    module = module_of("llama").requires_grad_()
    assert norm.install(module) == "its weight is trained"
    assert "forward" not in vars(module)
    module(drawn(3, 24, seed=0)).sum().backward()
    assert module.weight.grad.norm() > 0


class ShiftedRMSNorm(LlamaRMSNorm):
    """Adds epsilon after the root."""

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True).sqrt() + self.variance_epsilon) * self.weight


class CenteredRMSNorm(LlamaRMSNorm):
    """Is a layer norm in truth."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(-1, keepdim=True))


class WideRMSNorm(LlamaRMSNorm):
    """Gives float32 whatever comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


@pytest.mark.parametrize("kind", [ShiftedRMSNorm, CenteredRMSNorm])
def test_a_norm_of_another_formula_stays_plain(kind: type[nn.Module]) -> None:
    module = kind(24, eps=EPS).requires_grad_(False)
    assert norm.install(module) == "it computes something else than x / rms(x) * weight"
    assert "forward" not in vars(module)


def test_a_norm_that_gives_another_number_format_stays_plain() -> None:
    module = WideRMSNorm(24, eps=EPS).bfloat16().requires_grad_(False)
    assert norm.install(module) == "it computes something else than x / rms(x) * weight"


class ScalelessRMSNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True))


def test_a_norm_without_a_weight_stays_plain() -> None:
    module = ScalelessRMSNorm()
    assert norm.is_norm(module)
    assert norm.install(module) == "its weight or epsilon is not where RMSNorm has them"


def test_a_layer_norm_is_not_looked_at() -> None:
    assert not norm.is_norm(nn.LayerNorm(24))
