"""DoRA (Liu et al. 2024, arXiv:2402.09353): magnitude and direction of each row of a weight, apart.

    y = m / n * (x W^T + s (x A^T) B^T) + b          n = |W + s B A|, row by row, and a constant to gradients

m starts as |W|, so that m / n = 1 at B = 0. The sum W + s B A is never made: with w = |W|

    n^2 = w^2 + 2 s <W A^T, B> + s^2 <B (A A^T), B>

row by row, which costs as much as r more tokens and r / d_in of the weight in memory."""

import torch
from torch import Tensor

_TINY = 1e-30


def squared_norms(weight: Tensor) -> Tensor:
    """The squared norms of the rows of W, (d_out,) float32."""
    norms: Tensor = torch.linalg.vector_norm(weight, dim=1, dtype=torch.float32)
    return norms.square()


def direction_norms(
    weight: Tensor, squares: Tensor, lora_a: Tensor, lora_b: Tensor, scale: float
) -> Tensor:
    """n (d_out,) float32, for W (d_out, d_in), its `squares`, A (r, d_in) and B (d_out, r).

    A row of zeros has no direction: its n is not zero, so that it stays a row of zeros."""
    cross = (weight @ lora_a.to(weight.dtype).t()).float() + (scale / 2) * lora_b @ (
        lora_a @ lora_a.t()
    )
    norms: Tensor = (squares + 2 * scale * (cross * lora_b).sum(1)).clamp_min(_TINY).sqrt()
    return norms


def rescaled(y: Tensor, bias: Tensor | None, ratio: Tensor) -> Tensor:
    """ratio * (y - b) + b; exactly y where the ratio is one."""
    scaled = y * ratio
    if bias is not None:
        scaled = scaled + bias * (1 - ratio)
    return scaled.to(y.dtype)
