"""RMSNorm as one autograd node, for a frozen weight.

    y = x r w,   r = 1 / sqrt(mean(x^2) + eps)
    dx = r (g - xh mean(g xh)),   g = dy w,   xh = x r

Plain autograd keeps x in float32, its square's mean and the normalised x; here x and r are saved, one
number a row. Arithmetic is float32 and rounded once, where the plain module rounds before the weight."""

from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function

from finewright.lm.fast import native
from finewright.lm.fast.compiled import compiled_on_gpu


def _forward(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    if native.ready(x):
        return native.rms_forward(x, weight, eps)
    return plain_forward(x, weight, eps)


@compiled_on_gpu
def plain_forward(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """y and r; x (R, W), weight (W,) float32."""
    wide = x.float()
    rstd = torch.rsqrt(wide.pow(2).mean(-1) + eps)
    return (wide * rstd[:, None] * weight).to(x.dtype), rstd


def _backward(dy: Tensor, x: Tensor, weight: Tensor, rstd: Tensor) -> Tensor:
    if native.ready(x, dy):
        return native.rms_backward(dy.contiguous(), x, weight, rstd)
    return plain_backward(dy, x, weight, rstd)


@compiled_on_gpu
def plain_backward(dy: Tensor, x: Tensor, weight: Tensor, rstd: Tensor) -> Tensor:
    """dx."""
    normed = x.float() * rstd[:, None]
    g = dy.float() * weight
    return (rstd[:, None] * (g - normed * (g * normed).mean(-1, keepdim=True))).to(x.dtype)


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        y, rstd = _forward(rows, weight, eps)
        ctx.save_for_backward(rows, weight, rstd)
        ctx.shape = x.shape
        return y.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        rows, weight, rstd = ctx.saved_tensors
        return (
            _backward(upstream[0].reshape(rows.shape), rows, weight, rstd).view(ctx.shape),
            None,
            None,
        )


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x (..., W) normalised over its last axis and multiplied by the float32 weight (W,)."""
    y: Tensor = _RmsNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return y


def is_norm(module: nn.Module) -> bool:
    """Is it an RMSNorm by name? Whether it computes this formula is for `install` to check."""
    return type(module).__name__.endswith("RMSNorm")


def install(module: nn.Module) -> str:
    """Put the node on an RMSNorm; an empty string, or why it stays plain."""
    if any(parameter.requires_grad for parameter in module.parameters(recurse=False)):
        return "its weight is trained"
    found = recognised(module)
    if isinstance(found, str):
        return found
    module.forward = MethodType(_bound(*found), module)
    return ""


class Scaling(NamedTuple):
    """What an RMSNorm multiplies by, (W,) float32, and its epsilon."""

    weight: Tensor
    eps: float


def recognised(module: nn.Module) -> Scaling | str:
    """What an RMSNorm computes with, or why it is none."""
    weight = getattr(module, "weight", None)
    eps = getattr(module, "eps", getattr(module, "variance_epsilon", None))
    if not isinstance(weight, Tensor) or weight.dim() != 1 or eps is None:
        return "its weight or epsilon is not where RMSNorm has them"
    probe = torch.linspace(-2, 3, 2 * weight.shape[0], device=weight.device).view(2, -1)
    # the third row's mean square is near epsilon, where it shows whether and how epsilon is added
    probe = torch.cat((probe, probe[:1] * eps**0.5)).to(weight.dtype)
    with torch.no_grad():
        wanted = module(probe)
        for shift in (0.0, 1.0):  # Gemma stores the weight less one
            scaled = weight.detach().float() + shift
            if _close(rms_norm(probe, scaled, eps), wanted):
                return Scaling(scaled, float(eps))
    return "it computes something else than x / rms(x) * weight"


def _bound(weight: Tensor, eps: float) -> Any:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return rms_norm(x, weight, eps)

    return forward


def _close(found: Tensor, wanted: Tensor) -> bool:
    if found.dtype != wanted.dtype:
        return False
    rtol = 2e-2 if found.dtype == torch.bfloat16 else 1e-5
    return torch.allclose(found.float(), wanted.float(), rtol=rtol, atol=rtol * 1e-1)
