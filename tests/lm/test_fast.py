"""The engine's tricks against the plain formulas they stand for."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from finewright.lm.batch import Encoded, Segment, pack
from finewright.lm.fast import head
from finewright.lm.fast.attention import varlen_attention
from finewright.lm.fast.head import frozen_head_logps
from finewright.lm.fast.linear import lora_linear

pytestmark = pytest.mark.torch


def assert_close(found: Tensor, true: Tensor, rel: float = 1e-5) -> None:
    assert found.shape == true.shape
    assert (found.double() - true).abs().max() <= rel * true.abs().max()


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def segments_of(lengths: tuple[int, ...]) -> tuple[Segment, ...]:
    return tuple(Segment(sum(lengths[:i]), n) for i, n in enumerate(lengths))


def roomy(weight: Tensor, lora_b: Tensor, scale: float) -> Tensor:
    return torch.cat((weight, (lora_b.detach() * scale).to(weight.dtype)), 1)


def test_rows_are_packed_end_to_end_and_scored_from_the_position_before() -> None:
    rows = [
        Encoded((11, 12, 13), (False, False, True)),
        Encoded((21,), (True,)),
        Encoded((31, 32, 33, 34), (True, True, False, True)),
    ]
    packed = pack(rows)
    assert packed.input_ids.tolist() == [[11, 12, 13, 21, 31, 32, 33, 34]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 0, 0, 1, 2, 3]]
    assert packed.segments == (Segment(0, 3), Segment(3, 1), Segment(4, 4))
    assert packed.sources.tolist() == [1, 4, 6]
    assert packed.targets.tolist() == [13, 32, 34]
    assert packed.sequence_of.tolist() == [0, 2, 2]
    assert (packed.num_tokens, packed.num_trained) == (8, 3)
    assert [row.num_trained for row in rows] == [1, 0, 2]


# A chunk has 16 rows when CHUNK_BYTES is tiny.
@pytest.mark.parametrize("num_rows", [1, 15, 16, 17, 32, 45])
def test_head_logps_and_gradient_are_those_of_log_softmax(
    num_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "CHUNK_BYTES", 1)
    weight = drawn(50, 8, seed=0)
    hidden = drawn(num_rows, 8, seed=1).requires_grad_()
    exact = hidden.detach().double().requires_grad_()
    targets = torch.arange(num_rows) * 7 % 50
    upstream = drawn(num_rows, seed=2)

    logps = frozen_head_logps(hidden, weight, targets)
    logps.backward(upstream)
    true = (exact @ weight.double().t()).log_softmax(-1).gather(-1, targets[:, None])[:, 0]
    true.backward(upstream.double())

    assert logps.dtype == torch.float32
    assert_close(logps, true)
    assert_close(hidden.grad, exact.grad)


def test_head_logps_of_no_rows_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = torch.zeros(0, 8, requires_grad=True)
    logps = frozen_head_logps(hidden, drawn(50, 8, seed=0), torch.zeros(0, dtype=torch.long))
    logps.sum().backward()
    assert logps.shape == (0,)
    assert hidden.grad.shape == (0, 8)


def test_head_logps_survive_logits_that_overflow_exp() -> None:
    hidden = torch.full((1, 4), 100.0)
    weight = torch.stack((torch.full((4,), 1.0), torch.full((4,), -1.0), torch.zeros(4)))
    logps = frozen_head_logps(hidden.expand(2, 4), weight, torch.tensor([0, 1]))
    assert logps.tolist() == [0.0, -800.0]


def test_head_logps_in_bfloat16_are_near_the_exact_ones() -> None:
    weight, targets = drawn(50, 32, seed=0).bfloat16(), torch.arange(20)
    hidden = drawn(20, 32, seed=1).bfloat16().requires_grad_()
    exact = hidden.detach().double().requires_grad_()
    logps = frozen_head_logps(hidden, weight, targets)
    logps.sum().backward()
    true = (exact @ weight.double().t()).log_softmax(-1).gather(-1, targets[:, None])[:, 0]
    true.sum().backward()
    assert hidden.grad.dtype == torch.bfloat16
    assert_close(logps.detach(), true.detach(), rel=2e-2)
    assert_close(hidden.grad, exact.grad, rel=2e-2)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("x_learns", [True, False], ids=["x learns", "x is given"])
@pytest.mark.parametrize("shape", [(1, 6, 8), (6, 8), (2, 3, 8)], ids=str)
def test_a_lora_linear_has_the_gradients_of_plain_autograd(
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

    y = lora_linear(x, roomy(weight, lora_b, 0.7), b, lora_a, lora_b, 0.7)
    y.backward(upstream)
    true = F.linear(exact_x, exact_w, exact_b) + 0.7 * (exact_x @ exact_la.t()) @ exact_lb.t()
    true.backward(upstream.double())

    assert_close(y, true)
    assert_close(lora_a.grad, exact_la.grad)
    assert_close(lora_b.grad, exact_lb.grad)
    if x_learns:
        assert_close(x.grad, exact_x.grad)
    else:
        assert x.grad is None


def test_a_lora_linear_over_bfloat16_gives_float32_gradients() -> None:
    x = drawn(6, 8, seed=0).bfloat16().requires_grad_()
    lora_a, lora_b = drawn(3, 8, seed=3).requires_grad_(), drawn(5, 3, seed=4).requires_grad_()
    weight = roomy(drawn(5, 8, seed=1).bfloat16(), lora_b, 0.7)
    y = lora_linear(x, weight, None, lora_a, lora_b, 0.7)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (torch.bfloat16, torch.bfloat16)
    assert (lora_a.grad.dtype, lora_b.grad.dtype) == (torch.float32, torch.float32)


def eager(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    lengths: tuple[int, ...],
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """softmax over an explicit (T, T) mask: same sequence, not later, within the window."""
    groups = q.shape[1] // k.shape[1]
    k, v = (t[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2) for t in (k, v))
    logits = q @ k.mT / math.sqrt(q.shape[-1])
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    sequence = [number for number, n in enumerate(lengths) for _ in range(n)]
    at = range(len(sequence))
    seen = [
        [sequence[i] == sequence[j] and j <= i and (not window or i - j < window) for j in at]
        for i in at
    ]
    return (logits.masked_fill(~torch.tensor(seen), -math.inf).softmax(-1) @ v).transpose(1, 2)


@pytest.mark.parametrize("lengths", [(11,), (4, 1, 6), (1, 1, 9)], ids=str)
@pytest.mark.parametrize("window", [None, 1, 4, 6])
@pytest.mark.parametrize("softcap", [None, 1.5])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_attention_is_that_of_a_block_diagonal_mask(
    lengths: tuple[int, ...], window: int | None, softcap: float | None, kv_heads: int
) -> None:
    shapes = [(1, 4, 11, 8), (1, kv_heads, 11, 8), (1, kv_heads, 11, 6)]
    ours = [drawn(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
    exact = [t.detach().double().requires_grad_() for t in ours]
    upstream = drawn(1, 11, 4, 6, seed=9)

    out, _ = varlen_attention(
        torch.nn.Identity(),
        *ours,
        None,
        segments=segments_of(lengths),
        sliding_window=window,
        softcap=softcap,
    )
    out.backward(upstream)
    true = eager(*exact, lengths, window, softcap)
    true.backward(upstream.double())

    assert_close(out, true)
    for found, right in zip(ours, exact, strict=True):
        assert_close(found.grad, right.grad)


def test_attention_takes_the_scale_it_is_given() -> None:
    q, k, v = (drawn(1, 2, 5, 8, seed=i) for i in range(3))
    out, _ = varlen_attention(torch.nn.Identity(), q, k, v, None, scaling=0.5)
    true = eager(q * 0.5 * math.sqrt(8), k, v, (5,), None, None)
    assert_close(out, true.double())
