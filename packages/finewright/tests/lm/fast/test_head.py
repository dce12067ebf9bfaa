"""Log-probabilities from a frozen head against log_softmax in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from finewright.lm.fast import head
from finewright.lm.fast.head import Head
from finewright.lm.fast.head import logps as head_logps
from referee import assert_close, drawn

pytestmark = pytest.mark.torch


def truth(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """float64 hidden states that take gradients, and their log-probabilities."""
    exact = hidden.detach().double().requires_grad_()
    logps = (exact @ weight.double().t()).log_softmax(-1)
    return exact, logps.gather(-1, targets[:, None])[:, 0]


# A chunk has 16 rows when CHUNK_BYTES is tiny.
@pytest.mark.parametrize("num_rows", [1, 15, 16, 17, 32, 45])
def test_logps_and_gradient_are_those_of_log_softmax(
    num_rows: int, either_way: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "CHUNK_BYTES", 1)
    weight, upstream = drawn(50, 8, seed=0), drawn(num_rows, seed=2)
    hidden = drawn(num_rows, 8, seed=1).requires_grad_()
    targets = torch.arange(num_rows) * 7 % 50
    exact, true = truth(hidden, weight, targets)

    logps = head_logps(hidden, Head(weight), targets)
    logps.backward(upstream)
    true.backward(upstream.double())

    assert logps.dtype == torch.float32
    assert_close(logps, true)
    assert_close(hidden.grad, exact.grad)


def test_logps_of_no_rows_are_none(either_way: None) -> None:
    hidden = torch.zeros(0, 8, requires_grad=True)
    logps = head_logps(hidden, Head(drawn(50, 8, seed=0)), torch.zeros(0, dtype=torch.long))
    logps.sum().backward()
    assert logps.shape == (0,)
    assert hidden.grad.shape == (0, 8)


def test_logps_survive_logits_that_overflow_exp(either_way: None) -> None:
    hidden = torch.full((1, 4), 100.0)
    weight = torch.stack((torch.full((4,), 1.0), torch.full((4,), -1.0), torch.zeros(4)))
    logps = head_logps(hidden.expand(2, 4), Head(weight), torch.tensor([0, 1]))
    assert logps.tolist() == [0.0, -800.0]


def test_without_gradients_the_logps_are_the_same(either_way: None) -> None:
    hidden, weight, targets = drawn(20, 8, seed=1), drawn(50, 8, seed=0), torch.arange(20)
    learning = head_logps(hidden.clone().requires_grad_(), Head(weight), targets)
    assert torch.equal(head_logps(hidden, Head(weight), targets), learning.detach())


def test_bfloat16_logps_and_gradients_are_near_the_exact_ones(either_way: None) -> None:
    weight, targets = drawn(50, 32, seed=0).bfloat16(), torch.arange(20)
    hidden = drawn(20, 32, seed=1).bfloat16().requires_grad_()
    exact, true = truth(hidden, weight, targets)
    logps = head_logps(hidden, Head(weight), targets)
    logps.sum().backward()
    true.sum().backward()
    assert hidden.grad.dtype == torch.bfloat16
    assert_close(logps.detach(), true.detach(), rel=2e-2)
    assert_close(hidden.grad, exact.grad, rel=2e-2)


def test_a_bfloat16_gradient_is_scaled_by_an_unrounded_upstream(either_way: None) -> None:
    """1 / 3 in bfloat16 is 0.1 % off, in the same direction for every number."""
    weight, targets = drawn(50, 32, seed=0).bfloat16(), torch.arange(30)
    hidden = drawn(30, 32, seed=1).bfloat16().requires_grad_()
    head_logps(hidden, Head(weight), targets).sum().backward()
    once, hidden.grad = hidden.grad.double(), None
    (head_logps(hidden, Head(weight), targets) / 3).sum().backward()
    scale = (hidden.grad.double() * once).sum() / once.square().sum()
    assert scale.item() == pytest.approx(1 / 3, rel=3e-4)


def capped(logits: Tensor) -> Tensor:
    return 3.0 * torch.tanh(logits / 3.0)


@pytest.mark.parametrize("with_bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("change", [None, capped], ids=["plain", "capped"])
@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "trained"])
def test_every_head_has_the_logps_and_gradients_of_autograd(
    trained: bool,
    change: Callable[[Tensor], Tensor] | None,
    with_bias: bool,
    either_way: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head, "CHUNK_BYTES", 1)
    hidden = drawn(45, 8, seed=1).requires_grad_()
    weight = drawn(50, 8, seed=0).requires_grad_(trained)
    bias = drawn(50, seed=4).requires_grad_(trained) if with_bias else None
    learning = [hidden] + [t for t in (weight, bias) if t is not None and t.requires_grad]
    targets, upstream = torch.arange(45) * 7 % 50, drawn(45, seed=2)

    logps = head_logps(hidden, Head(weight, bias, change), targets)
    found = torch.autograd.grad(logps, learning, upstream)

    logits = torch.nn.functional.linear(hidden, weight, bias)
    wanted = (logits if change is None else change(logits)).log_softmax(-1)
    true = wanted.gather(-1, targets[:, None])[:, 0]
    assert_close(logps.detach(), true.detach())
    for grad, other in zip(found, torch.autograd.grad(true, learning, upstream), strict=True):
        assert_close(grad, other)


def test_a_trained_heads_gradient_is_summed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 sums of many chunks would stand still."""
    monkeypatch.setattr(head, "CHUNK_BYTES", 1)
    rows = 4096
    hidden = torch.ones(rows, 1, dtype=torch.bfloat16)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    logps = head_logps(hidden, Head(weight), torch.zeros(rows, dtype=torch.long))
    logps.sum().backward()
    assert weight.grad.tolist() == [[rows / 2], [-rows / 2]]


def test_a_trained_head_never_holds_all_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "CHUNK_BYTES", 1 << 16)
    weight = drawn(4096, 8, seed=0).requires_grad_()
    hidden = drawn(640, 8, seed=1).requires_grad_()
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple) else (out,):
                if isinstance(tensor, Tensor):
                    largest = max(largest, tensor.numel())
            return out

    with Watch():
        head_logps(hidden, Head(weight), torch.arange(640)).sum().backward()
    assert largest == max(16 * 4096, weight.numel())
