"""A LoRA linear as one autograd node, with the delta inside the frozen weight's own GEMM.

    y = [x, x A^T] [W, s B]^T + b = x W^T + b + s (x A^T) B^T          s = alpha / r, W and b frozen

The usual way computes x W^T, rounds it to the number format, and then adds the delta: whatever of the
delta is below half a unit in the last place of the base's output is lost, in the same direction every
time. Here W is stored with room for r more columns, s B is written there once a step, and base and delta
meet in the float32 accumulator and are rounded once. The same holds in the backward: one GEMM gives both
dy W and s dy B:

    [dx0, dxA] = dy [W, s B]      dx = dx0 + dxA A      dA = dxA^T x      dB = s dy^T (x A^T)

Saved are x and x A^T; W never gets a gradient. Plain autograd keeps x twice and the casts of A and B.
The room costs r / d_in of the weight (2.8 % at r = 16, d_in = 576). A and B are float32 masters."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


class Lora(NamedTuple):
    """What the formula needs: weight (d_out, d_in + r) whose last columns are s B, bias, A (r, d_in)."""

    weight: Tensor
    bias: Tensor | None
    a: Tensor
    scale: float


def lora_forward(x: Tensor, lora: Lora) -> tuple[Tensor, Tensor]:
    """x (T, d_in) -> y (T, d_out) and x A^T (T, r)."""
    low = x @ lora.a.t()
    return F.linear(torch.cat((x, low), 1), lora.weight, lora.bias), low


class Gradients(NamedTuple):
    """Gradients of x (T, d_in), A (r, d_in) and B (d_out, r), the latter two float32."""

    x: Tensor | None
    a: Tensor
    b: Tensor


def lora_backward(
    dy: Tensor, x: Tensor, low: Tensor, lora: Lora, *, need_x: bool = True
) -> Gradients:
    """dy (T, d_out) -> the gradients."""
    width = x.shape[1]
    if need_x:
        both = dy @ lora.weight
        d_low = both[:, width:].contiguous()
        dx = torch.addmm(both[:, :width], d_low, lora.a)
    else:
        d_low, dx = dy @ lora.weight[:, width:], None
    d_a = (d_low.t() @ x).float()
    d_b = (dy.t() @ low).float().mul_(lora.scale)
    return Gradients(dx, d_a, d_b)


class _LoraLinear(Function):
    @staticmethod
    def forward(  # noqa: PLR0913 - an autograd node takes its tensors one by one
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        lora_a: Tensor,
        lora_b: Tensor,
        scale: float,
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        lora = Lora(weight, bias, lora_a.to(x.dtype), scale)
        y, low = lora_forward(rows, lora)
        ctx.save_for_backward(rows, low, weight, lora.a)
        ctx.scale, ctx.shape = scale, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, low, weight, a = ctx.saved_tensors
        dy = upstream[0].reshape(-1, upstream[0].shape[-1])
        lora = Lora(weight, None, a, ctx.scale)
        need_x = ctx.needs_input_grad[0]
        grads = lora_backward(dy, rows, low, lora, need_x=need_x)
        dx = None if grads.x is None else grads.x.view(ctx.shape)
        return dx, None, None, grads.a, grads.b, None


def lora_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    lora_a: Tensor,
    lora_b: Tensor,
    scale: float,
) -> Tensor:
    """x (..., d_in), weight (d_out, d_in + r) ending in s B, lora_a (r, d_in) -> y (..., d_out)."""
    y: Tensor = _LoraLinear.apply(x, weight, bias, lora_a, lora_b, scale)  # type: ignore[no-untyped-call]
    return y
