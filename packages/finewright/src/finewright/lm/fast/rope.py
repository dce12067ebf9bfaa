"""Rotary position embedding (Su et al. 2021, arXiv:2104.09864) as one autograd node.

    y1 = x1 cos1 - x2 sin1,   y2 = x2 cos2 + x1 sin2        (x1, x2: the two halves of a head)

A rotation's gradient is the transposed rotation, so nothing but cos and sin is saved; plain autograd
saves both products' inputs and builds the rotated half by a concatenation. Float32 inside, one rounding.

transformers calls a function of its modelling module by name. To change it for one model and no other,
each attention module gets its own forward: the class's code with that one name bound to ours."""

from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from finewright.lm.fast import native
from finewright.lm.fast.compiled import compiled_on_gpu

_NAME = "apply_rotary_pos_emb"


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, *, transposed: bool) -> Tensor:
    """x (T, H, D), cos and sin (T, rotary) -> (T, H, D)."""
    if native.ready(x, cos, sin):
        return native.rope(x, cos, sin, transposed=transposed)
    return plain_rotated(x, cos, sin, transposed)


@compiled_on_gpu
def plain_rotated(x: Tensor, cos: Tensor, sin: Tensor, transposed: bool) -> Tensor:
    """x rotated, or rotated back."""
    rotary = cos.shape[-1]
    wide, c, s = x[..., :rotary].float(), cos[:, None].float(), sin[:, None].float()
    a, b = wide.chunk(2, -1)
    (c1, c2), (s1, s2) = c.chunk(2, -1), s.chunk(2, -1)
    if transposed:
        turned = torch.cat((a * c1 + b * s2, b * c2 - a * s1), -1)
    else:
        turned = torch.cat((a * c1 - b * s1, b * c2 + a * s2), -1)
    return torch.cat((turned.to(x.dtype), x[..., rotary:]), -1)


class _Rope(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotated(x.transpose(0, 1), cos, sin, transposed=False).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        turned = _rotated(upstream[0].transpose(0, 1), cos, sin, transposed=True)
        return turned.transpose(0, 1), None, None


def apply_rope(
    q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, *args: Any, plain: Any, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """q, k (1, H, T, D), cos and sin (1, T, rotary); other shapes and arguments go to `plain`."""
    alike = q.dtype == k.dtype == cos.dtype == sin.dtype
    one_row = q.shape[0] == 1 and cos.shape[:-2] == (1,)
    if args or kwargs or not alike or not one_row:
        rotated: tuple[Tensor, Tensor] = plain(q, k, cos, sin, *args, **kwargs)
        return rotated
    c, s = cos[0].contiguous(), sin[0].contiguous()
    turned_q: Tensor = _Rope.apply(q[0], c, s)  # type: ignore[no-untyped-call]
    turned_k: Tensor = _Rope.apply(k[0], c, s)  # type: ignore[no-untyped-call]
    return turned_q[None], turned_k[None]


def is_rotary(module: nn.Module) -> bool:
    """Does the module's forward call transformers' rotary function?"""
    code = getattr(type(module).forward, "__code__", None)
    return code is not None and any(name.startswith(_NAME) for name in code.co_names)


def install(module: nn.Module) -> str:
    """Give an attention module our rotation; an empty string, or why it keeps its own."""
    own = type(module).forward
    assert isinstance(own, FunctionType)  # it has code
    others = [name for name in own.__code__.co_names if name.startswith(f"{_NAME}_")]
    if others:  # DeepSeek's turns pairs of neighbours, where ours turns the halves of a head
        return f"it rotates by {others[0]}"
    plain = own.__globals__.get(_NAME)
    if plain is None or not _same(plain):
        return "its rotation is of another kind"

    def ours(
        q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return apply_rope(q, k, cos, sin, *args, plain=plain, **kwargs)

    names = {**own.__globals__, _NAME: ours}
    forward = FunctionType(own.__code__, names, own.__name__, own.__defaults__, own.__closure__)
    forward.__kwdefaults__ = own.__kwdefaults__
    module.forward = MethodType(forward, module)
    return ""


def _same(plain: Any) -> bool:
    generator = torch.Generator().manual_seed(0)
    q, k = (
        torch.randn(1, 2, 3, 8, generator=generator),
        torch.randn(1, 1, 3, 8, generator=generator),
    )
    cos, sin = (torch.randn(1, 3, 8, generator=generator) for _ in range(2))
    try:
        wanted = plain(q, k, cos, sin)
    except (TypeError, RuntimeError, ValueError, IndexError):
        return False
    found = apply_rope(q, k, cos, sin, plain=plain)
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True))
