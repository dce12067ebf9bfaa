"""The optimiser is torch's AdamW in float32, also for bfloat16 weights, and comes back bitwise."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from finewright.train.optimizer import Optimizer

pytestmark = pytest.mark.torch

SHAPES = [(5, 3), (7,), (2, 2, 2)]
DTYPES = [torch.float32, torch.bfloat16]


def parameters(dtype: torch.dtype) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]


def gradients(dtype: torch.dtype, steps: int) -> Iterator[list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        yield [torch.randn(shape, generator=generator).to(dtype) for shape in SHAPES]


def backward(weights: list[nn.Parameter], grads: list[Tensor]) -> None:
    """A loss whose gradient this is."""
    loss = sum(((w * g).sum() for w, g in zip(weights, grads, strict=True)), torch.zeros(()))
    loss.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_weights_are_those_of_a_float32_adamw_rounded(
    weight_decay: float, dtype: torch.dtype
) -> None:
    weights = parameters(dtype)
    true = [nn.Parameter(p.detach().float()) for p in weights]
    optimizer = Optimizer(weights, weight_decay=weight_decay)
    matrices, vectors = ([t for t in true if (t.dim() > 1) is kind] for kind in (True, False))
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=0.0, fused=True)
    for number, grads in enumerate(gradients(dtype, 12)):
        optimizer.set_learning_rate(0.01 / (number + 1))
        for group in adamw.param_groups:
            group["lr"] = 0.01 / (number + 1)
        backward(weights, grads)
        for parameter, grad in zip(true, grads, strict=True):
            parameter.grad = grad.float()
        norm = optimizer.clip(2.0)
        assert torch.equal(norm, nn.utils.clip_grad_norm_(true, 2.0))
        optimizer.step()
        adamw.step()
        assert all(torch.equal(w, t.to(dtype)) for w, t in zip(weights, true, strict=True))


def test_steps_too_small_for_bfloat16_add_up() -> None:
    weight = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = Optimizer([weight], weight_decay=0.0)
    optimizer.set_learning_rate(1e-4)
    backward([weight], [torch.ones(4, dtype=torch.bfloat16)])
    optimizer.step()
    assert torch.equal(weight, torch.ones(4, dtype=torch.bfloat16))
    for _ in range(99):
        backward([weight], [torch.ones(4, dtype=torch.bfloat16)])
        optimizer.step()
    assert torch.equal(weight, torch.full((4,), 0.99).bfloat16())


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_parts_are_summed_in_float32(dtype: torch.dtype) -> None:
    weight = nn.Parameter(torch.zeros(1, dtype=dtype))
    optimizer = Optimizer([weight], weight_decay=0.0)
    for grad in (1.0, 2**-9, 2**-9):  # in bfloat16 the small ones would vanish beside 1
        backward([weight], [torch.tensor([grad], dtype=dtype)])
    assert optimizer.clip(10.0).item() == 1 + 2**-8


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_step_leaves_no_gradient_behind(dtype: torch.dtype) -> None:
    weights = parameters(dtype)
    optimizer = Optimizer(weights, weight_decay=0.0)
    backward(weights, next(gradients(dtype, 1)))
    optimizer.step()
    assert all(p.grad is None for p in [*weights, *optimizer.masters])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_restored_optimizer_goes_on_bitwise(dtype: torch.dtype) -> None:
    weights = parameters(dtype)
    optimizer = Optimizer(weights, weight_decay=0.1)
    optimizer.set_learning_rate(0.01)
    steps = list(gradients(dtype, 6))
    for grads in steps[:3]:
        backward(weights, grads)
        optimizer.step()
    kept = copy.deepcopy(optimizer.tensors())
    continued = [nn.Parameter(p.detach().clone()) for p in weights]
    restored = Optimizer(continued, weight_decay=0.1)
    restored.restore(copy.deepcopy(kept))
    restored.set_learning_rate(0.01)
    found = restored.tensors()
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], kept[name]) for name in kept)
    for grads in steps[3:]:
        for one, those in ((optimizer, weights), (restored, continued)):
            backward(those, grads)
            one.step()
    assert all(torch.equal(a, b) for a, b in zip(weights, continued, strict=True))
    assert all(torch.equal(restored.tensors()[n], t) for n, t in optimizer.tensors().items())


def test_masters_are_kept_only_where_they_are_needed() -> None:
    names = {dtype: Optimizer(parameters(dtype), weight_decay=0.0).tensors() for dtype in DTYPES}
    assert list(names[torch.float32]) == []
    assert list(names[torch.bfloat16]) == ["0.master", "1.master", "2.master"]
