"""A gated MLP with LoRA on its three linears as one autograd node.

    g = lora_gate(x)    u = lora_up(x)    h = act(g) * u    y = lora_down(h)

Plain autograd saves x, g, act(g), u, h and what each LoRA saves; here x, g, u and the three low-rank
products are saved and h is computed again from g and u in the backward: 2 I numbers a token instead of
4 I for an intermediate width I. act is SiLU or the tanh form of GELU. Where gate and up are one linear
with outputs [g, u], it is one LoRA; the rest is the same."""

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from finewright.lm.fast import native
from finewright.lm.fast.compiled import compiled_on_gpu
from finewright.lm.fast.factors import Operands, taken
from finewright.lm.fast.linear import (
    Lora,
    lora_backward,
    lora_forward,
    through,
    with_factors,
)

_LAYOUTS = (("gate_proj", "up_proj", "down_proj"), ("gate_up_proj", "down_proj"))
_ACTIVATIONS = ("act_fn", "activation_fn")
_PER_LINEAR = 5  # weight with room, bias, A, B, scale


def glu(gate: Tensor, up: Tensor, *, gelu: bool) -> Tensor:
    """act(gate) * up, (T, I), computed in float32 and rounded once."""
    if native.ready(gate, up) and gate.stride() == up.stride():
        return native.glu_forward(gelu, gate, up)
    return plain_glu(gate, up, gelu)


@compiled_on_gpu
def plain_glu(gate: Tensor, up: Tensor, gelu: bool) -> Tensor:
    """act(gate) * up."""
    act = F.gelu(gate.float(), approximate="tanh") if gelu else F.silu(gate.float())
    return (act * up.float()).to(gate.dtype)


def glu_backward(
    gate: Tensor, up: Tensor, dh: Tensor, *, gelu: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of gate and up, and h itself; dh may be written over."""
    if native.ready(gate, up, dh) and gate.stride() == up.stride():
        return native.glu_backward(gelu, gate, up, dh)
    return plain_glu_backward(gate, up, dh, gelu)


@compiled_on_gpu
def plain_glu_backward(
    gate: Tensor, up: Tensor, dh: Tensor, gelu: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of gate and up, and h."""
    g, d = gate.float(), dh.float()
    if gelu:
        s = torch.sigmoid(1.5957691216 * (g + 0.044715 * g**3))
        slope = s + g * s * (1 - s) * 1.5957691216 * (1 + 0.134145 * g * g)
    else:
        s = torch.sigmoid(g)
        slope = s * (1 + g * (1 - s))
    dtype, u, act = gate.dtype, up.float(), g * s
    return (d * u * slope).to(dtype), (d * act).to(dtype), (act * u).to(dtype)


class _GatedMlp(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gelu: bool, *parts: Any) -> Tensor:
        """`parts`: what `node_inputs` gives for gate, up and down, or for gate-up and down."""
        rows = x.reshape(-1, x.shape[-1])
        *inner, down = _loras(parts, rows)
        outputs, lows = zip(*(lora_forward(rows, lora) for lora in inner), strict=True)
        y, low_down = lora_forward(glu(*_halves(outputs), gelu=gelu), down)
        loras = (*inner, down)
        ctx.save_for_backward(rows, *outputs, *lows, low_down, *(lora.a for lora in loras))
        ctx.gelu, ctx.shape = gelu, x.shape
        ctx.frozen = [(lora.weight, lora.scale, lora.taken) for lora in loras]
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        count = len(ctx.frozen)
        rows, *saved = ctx.saved_tensors
        outputs, lows, factors = saved[: count - 1], saved[count - 1 : -count], saved[-count:]
        *inner, down = (
            Lora(weight, None, a, scale, samples)
            for (weight, scale, samples), a in zip(ctx.frozen, factors, strict=True)
        )
        g, u = _halves(outputs)
        dy = upstream[0].reshape(-1, upstream[0].shape[-1])
        dh, d_low = through(dy, down)
        *slopes, h = glu_backward(g, u, dh, gelu=ctx.gelu)
        of_down = with_factors(None, Operands(dy, h, lows[-1], d_low, down.scale), down)
        if len(inner) == 1:
            slopes = [torch.cat(slopes, 1)]
        of_inner = [
            lora_backward(slope, rows, low, lora)
            for slope, low, lora in zip(slopes, lows, inner, strict=False)
        ]
        grads: list[Tensor | None] = []
        for each in (*of_inner, of_down):
            grads += [None, None, each.a, each.b, None]
        return _sum([each.x for each in of_inner]).view(ctx.shape), None, *grads


def _loras(parts: Sequence[Any], x: Tensor) -> list[Lora]:
    groups = [parts[i : i + _PER_LINEAR] for i in range(0, len(parts), _PER_LINEAR)]
    return [
        Lora(weight, bias, a.to(x.dtype), scale, taken(a, b, len(x)))
        for weight, bias, a, b, scale in groups
    ]


def _halves(outputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Gate and up, from two linears or from one."""
    return outputs if len(outputs) > 1 else outputs[0].chunk(2, 1)


def _sum(parts: Sequence[Tensor | None]) -> Tensor:
    first, *others = parts
    assert first is not None
    for other in others:
        assert other is not None
        first.add_(other)
    return first


def is_gated(module: nn.Module) -> bool:
    """Does the module have the linears and the activation of a gated MLP?"""
    return bool(linear_names(module)) and activation_of(module) is not None


def is_experts(module: nn.Module) -> bool:
    """Does the module hold the MLPs of all experts in tensors of three axes?"""
    tensors = module.parameters(recurse=False)
    return type(module).__name__.endswith("Experts") and any(t.dim() == 3 for t in tensors)  # noqa: PLR2004


def linear_names(module: nn.Module) -> tuple[str, ...]:
    """What a gated MLP's linears are called: gate and up, or both in one, then down; else nothing."""
    children = dict(module.named_children())
    return next((names for names in _LAYOUTS if children.keys() >= set(names)), ())


def activation_of(module: nn.Module) -> Any:
    """The activation, or None."""
    return next((getattr(module, name) for name in _ACTIVATIONS if hasattr(module, name)), None)


def install(module: nn.Module, adapter: type[nn.Module]) -> str:
    """Put the node on a gated MLP whose linears are `adapter`s; an empty string, or why it stays plain."""
    linears: list[Any] = [getattr(module, name) for name in linear_names(module)]
    if reason := _unfit(module, linears, adapter):
        return reason
    act = activation_of(module)
    gelu = is_gelu(act)
    if gelu is None:
        return f"its activation is {type(act).__name__}, neither SiLU nor the tanh form of GELU"
    forward = _bound(linears, gelu=gelu)
    if not _same(module, forward, linears):
        return "it computes something else than down(act(gate(x)) * up(x))"
    module.forward = MethodType(forward, module)
    return ""


def _unfit(module: nn.Module, linears: list[Any], adapter: type[nn.Module]) -> str:
    if not all(isinstance(linear, adapter) for linear in linears):
        return "not all of its linears have an adapter"
    if not all(linear.fused for linear in linears):
        return "DoRA rescales the output of each linear"
    if any(linear.dropout for linear in linears):
        return "LoRA dropout draws its mask between the linears"
    if any(isinstance(part, nn.Dropout) and part.p for part in module.modules()):
        return "it drops activations"
    return ""


def _bound(linears: list[Any], *, gelu: bool) -> Any:
    *inner, down = linears

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        if not all(linear.enabled for linear in linears):  # the base model takes no gradients
            rows = x.reshape(-1, x.shape[-1])
            base: Tensor = down(glu(*_halves([linear(rows) for linear in inner]), gelu=gelu))
            return base.view(x.shape)
        parts = [item for linear in linears for item in linear.node_inputs()]
        y: Tensor = _GatedMlp.apply(x, gelu, *parts)  # type: ignore[no-untyped-call]
        return y

    return forward


def is_gelu(act: Any) -> bool | None:
    """Is it the tanh form of GELU (or SiLU)? None for what is neither."""
    z = torch.linspace(-4, 4, 33)
    found = act(z)
    for gelu, wanted in ((False, F.silu(z)), (True, F.gelu(z, approximate="tanh"))):
        if torch.allclose(found, wanted, atol=1e-5):
            return gelu
    return None


def _same(module: nn.Module, forward: Any, linears: list[Any]) -> bool:
    first = linears[0]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, first.base.in_features, generator=generator)
    x = x.to(first.lora_A.device, first.dtype)
    with torch.no_grad():
        wanted, found = module(x).float(), forward(module, x).float()
    tolerance = 3e-2 if first.dtype == torch.bfloat16 else 1e-4
    return bool((wanted - found).abs().max() <= tolerance * wanted.abs().max())
