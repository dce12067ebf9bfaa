"""A LoRA linear as one autograd node.

    y = x W^T + b + s (x A^T) B^T          s = alpha / r, W and b frozen

Plain autograd keeps x twice (once per branch), x A^T, and the cast copies of A and B, and allocates
y, the delta and their sum. Here x and x A^T are saved, the delta is added in place, W never gets a
gradient, and

    dxA = s dy B      dB = s dy^T (x A^T)      dA = dxA^T x      dx = dy W + dxA A

with dx accumulated in place as well. A and B are float32 masters, used in x's dtype.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


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
        a, b = lora_a.to(x.dtype), lora_b.to(x.dtype)
        low = rows @ a.t()
        y = F.linear(rows, weight, bias).addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(rows, low, weight, a, b)
        ctx.scale, ctx.shape = scale, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, low, weight, a, b = ctx.saved_tensors
        dy = upstream[0].reshape(-1, upstream[0].shape[-1])
        d_low = torch.mm(dy, b).mul_(ctx.scale)
        d_b = torch.mm(dy.t(), low).float().mul_(ctx.scale)
        d_a = torch.mm(d_low.t(), rows).float()
        dx = None
        if ctx.needs_input_grad[0]:
            dx = torch.mm(dy, weight).addmm_(d_low, a).view(ctx.shape)
        return dx, None, None, d_a, d_b, None


def lora_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    lora_a: Tensor,
    lora_b: Tensor,
    scale: float,
) -> Tensor:
    """x (..., d_in), weight (d_out, d_in), lora_a (r, d_in), lora_b (d_out, r) -> y (..., d_out)."""
    y: Tensor = _LoraLinear.apply(x, weight, bias, lora_a, lora_b, scale)  # type: ignore[no-untyped-call]
    return y
