"""A gated MLP with LoRA on its three linears as one autograd node.

    g = lora_gate(x)    u = lora_up(x)    h = act(g) * u    y = lora_down(h)

Plain autograd saves x, g, act(g), u, h and what each LoRA saves; here x, g, u and the three low-rank
products are saved and h is computed again from g and u in the backward: 2 I numbers a token instead of
4 I for an intermediate width I. act is SiLU or the tanh form of GELU."""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from finewright.lm.fast import native
from finewright.lm.fast.linear import Lora, lora_backward, lora_forward

_PARTS = ("gate_proj", "up_proj", "down_proj")


def glu(gate: Tensor, up: Tensor, *, gelu: bool) -> Tensor:
    """act(gate) * up, (T, I), computed in float32 and rounded once."""
    if native.ready(gate, up) and gate.stride() == up.stride():
        return native.glu_forward(gelu, gate, up)
    act = F.gelu(gate.float(), approximate="tanh") if gelu else F.silu(gate.float())
    return (act * up.float()).to(gate.dtype)


def glu_backward(gate: Tensor, up: Tensor, dh: Tensor, *, gelu: bool) -> tuple[Tensor, Tensor]:
    """Gradients of gate and up."""
    if native.ready(gate, up, dh) and gate.stride() == up.stride():
        return native.glu_backward(gelu, gate, up, dh)
    g, d = gate.float(), dh.float()
    if gelu:
        s = torch.sigmoid(1.5957691216 * (g + 0.044715 * g**3))
        slope = s + g * s * (1 - s) * 1.5957691216 * (1 + 0.134145 * g * g)
    else:
        s = torch.sigmoid(g)
        slope = s * (1 + g * (1 - s))
    return (d * up.float() * slope).to(gate.dtype), (d * g * s).to(gate.dtype)


class _GatedMlp(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gelu: bool, *parts: Any) -> Tensor:
        """`parts`: weight with room, bias, A, B and scale of gate, up and down."""
        rows = x.reshape(-1, x.shape[-1])
        gate, up, down = (_lora(parts[i : i + 5], x.dtype) for i in (0, 5, 10))
        g, low_gate = lora_forward(rows, gate)
        u, low_up = lora_forward(rows, up)
        y, low_down = lora_forward(glu(g, u, gelu=gelu), down)
        weights = [tensor for lora in (gate, up, down) for tensor in (lora.weight, lora.a)]
        ctx.save_for_backward(rows, g, u, low_gate, low_up, low_down, *weights)
        ctx.gelu, ctx.shape, ctx.scales = gelu, x.shape, (gate.scale, up.scale, down.scale)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, g, u, low_gate, low_up, low_down, *weights = ctx.saved_tensors
        gate, up, down = (
            Lora(weights[2 * i], None, weights[2 * i + 1], ctx.scales[i]) for i in range(3)
        )
        dy = upstream[0].reshape(-1, upstream[0].shape[-1])
        of_down = lora_backward(dy, glu(g, u, gelu=ctx.gelu), low_down, down)
        assert of_down.x is not None
        dg, du = glu_backward(g, u, of_down.x, gelu=ctx.gelu)
        of_gate = lora_backward(dg, rows, low_gate, gate)
        of_up = lora_backward(du, rows, low_up, up)
        assert of_gate.x is not None
        assert of_up.x is not None
        dx = of_gate.x.add_(of_up.x).view(ctx.shape)
        grads: list[Tensor | None] = []
        for each in (of_gate, of_up, of_down):
            grads += [None, None, each.a, each.b, None]
        return dx, None, *grads


def _lora(part: tuple[Any, ...], dtype: torch.dtype) -> Lora:
    weight, bias, a, _, scale = part
    return Lora(weight, bias, a.to(dtype), scale)


def is_gated(module: nn.Module) -> bool:
    """Does the module have the three linears and the activation of a gated MLP?"""
    return all(hasattr(module, name) for name in (*_PARTS, "act_fn"))


def install(module: nn.Module, adapter: type[nn.Module]) -> str:
    """Put the node on a gated MLP whose linears are `adapter`s; an empty string, or why it stays plain."""
    linears = [getattr(module, name) for name in _PARTS]
    if not all(isinstance(linear, adapter) for linear in linears):
        return "not all of its linears have an adapter"
    if any(linear.dropout for linear in linears):
        return "LoRA dropout draws its mask between the linears"
    gelu = _is_gelu(module.act_fn)
    if gelu is None:
        return f"its activation is {type(module.act_fn).__name__}, neither SiLU nor the tanh form of GELU"

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        if not all(
            linear.enabled for linear in linears
        ):  # the base model, which takes no gradients
            gate, up, down = linears
            rows = x.reshape(-1, x.shape[-1])
            base: Tensor = down(glu(gate(rows), up(rows), gelu=gelu))
            return base.view(x.shape)
        parts = [item for linear in linears for item in linear.node_inputs()]
        y: Tensor = _GatedMlp.apply(x, gelu, *parts)  # type: ignore[no-untyped-call]
        return y

    if not _same(module, forward, linears):
        return "it computes something else than down(act(gate(x)) * up(x))"
    module.forward = MethodType(forward, module)
    return ""


def _is_gelu(act: Any) -> bool | None:
    z = torch.linspace(-4, 4, 33)
    found = act(z)
    for gelu, wanted in ((False, F.silu(z)), (True, F.gelu(z, approximate="tanh"))):
        if torch.allclose(found, wanted, atol=1e-5):
            return gelu
    return None


def _same(module: nn.Module, forward: Any, linears: list[Any]) -> bool:
    weight = linears[0].base.weight
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, weight.shape[1], generator=generator).to(weight.device, weight.dtype)
    with torch.no_grad():
        wanted, found = module(x).float(), forward(module, x).float()
    tolerance = 3e-2 if weight.dtype == torch.bfloat16 else 1e-4
    return bool((wanted - found).abs().max() <= tolerance * wanted.abs().max())
