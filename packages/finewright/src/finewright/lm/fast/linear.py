"""A LoRA linear as one autograd node, with the delta inside the frozen weight's own GEMM.

    y = [x, x A^T] [W, s B]^T + b = x W^T + b + s (x A^T) B^T          s = alpha / r, W and b frozen

The usual way computes x W^T, rounds it to the number format, and then adds the delta: whatever of the
delta is below half a unit in the last place of the base's output is lost, in the same direction every
time. Here W is stored with room for r more columns, s B is written there once a step, and base and delta
meet in the float32 accumulator and are rounded once. The same holds in the backward: one GEMM gives both
dy W and s dy B:

    [dx0, dxA] = dy [W, s B]      dx = dx0 + dxA A      dA = dxA^T x      dB = s dy^T (x A^T)

Saved are x and x A^T (in columns of 32 where tiles made it); W never gets a gradient. Plain autograd keeps
x twice and the casts of A and B. The room costs r / d_in of the weight (2.8 % at r = 16, d_in = 576). A and
B are float32 masters.

Products with r on one side are a twentieth of the arithmetic and were a seventh of a step's time: a general
GEMM packs its wide operand and is done before that has paid. On a CPU with bfloat16 dot products kernels of
ours do them, together with laying x A^T beside x and adding dxA A to dx: 1.3 to 1.5x as fast by themselves,
5 to 8 % of a step (SmolLM2 135M, 2 Zen 4 cores). Where the processor has tiles (Intel's AMX) one kernel
does all of y or dx, and nothing need lie side by side: with it 771 -> 1,011 tokens/s (2 cores of a Xeon).

A weight that is not kept whole (quantized.py) is made whole for each product, and never saved."""

from functools import cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_post_hook

from finewright.lm.fast import native
from finewright.lm.fast.factors import THIN_FROM, Operands, Taken, factor_gradients, taken, thin

_UNKNOWN = (-1, -1)


class _Steps:
    """Counts the steps of all optimizers of the process."""

    def __init__(self) -> None:
        self.taken = 0
        register_optimizer_step_post_hook(self)

    def __call__(self, *_: object) -> None:
        self.taken += 1


@cache
def _steps() -> _Steps:
    return _Steps()


def state_of(parameter: Tensor) -> tuple[int, int]:
    """Differs when the parameter's numbers may have changed.

    Its version alone does not tell: fused optimizers leave it as it was."""
    return parameter._version, _steps().taken


class Stored(Protocol):
    """A weight that is made whole when a product needs it."""

    def roomy(self) -> Tensor:
        """The weight (d_out, d_in + r) whose last columns are s B; good for one product."""
        ...


# Frozen, and free of gradients: a node keeps it beside its saved tensors.
Weight = Tensor | Stored


class Frozen(Protocol):
    """A frozen weight, in whatever form it is kept."""

    def with_room(self, lora_b: Tensor, scale: float) -> Weight:
        """The weight with s B beside it."""
        ...


class PlainWeight:
    """A frozen weight kept whole, with room for r more columns."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        rows, width = weight.shape
        self._roomy = weight.new_empty(rows, width + rank)
        self.values = self._roomy[:, :width]
        self.values.copy_(weight.detach())
        self._room = self._roomy[:, width:]
        self._written = _UNKNOWN
        self._written_of: Tensor | None = None

    def with_room(self, lora_b: Tensor, scale: float) -> Tensor:
        """The weight (d_out, d_in + r) whose last columns are s B."""
        # While gradients are taken the room is written every time; by `.data`, as the same numbers are no
        # reason to fail an earlier graph.
        learning, state = torch.is_grad_enabled(), state_of(lora_b)
        if learning or self._written_of is not lora_b or self._written != state:
            write_room(self._room, lora_b, scale)
            self._written, self._written_of = (_UNKNOWN, None) if learning else (state, lora_b)
        return self._roomy


def write_room(room: Tensor, lora_b: Tensor, scale: float) -> None:
    """Write s B into the columns (d_out, r) beside a weight."""
    lora_b = lora_b.detach()
    plain = lora_b.dtype == torch.float32 and lora_b.is_contiguous()
    if plain and native.ready(lora_b) and native.ready(room):
        native.lora_room(lora_b, scale, room)
    else:
        room.data.copy_(lora_b * scale)


def whole(weight: Weight) -> Tensor:
    """(d_out, d_in + r), for one product: the next weight that is made whole may take its place."""
    return weight if isinstance(weight, Tensor) else weight.roomy()


class Lora(NamedTuple):
    """What the formula needs: weight (d_out, d_in + r) whose last columns are s B, bias, A (r, d_in), s; and
    who takes the gradients of A and B by samples, where somebody does."""

    weight: Weight
    bias: Tensor | None
    a: Tensor
    scale: float
    taken: Taken | None = None


def lora_forward(x: Tensor, lora: Lora) -> tuple[Tensor, Tensor]:
    """x (T, d_in) -> y (T, d_out) and x A^T (T, r)."""
    weight = whole(lora.weight)
    if len(x) >= THIN_FROM and native.takes_wide(x, weight, lora.a, lora.bias):
        return native.wide_forward(x, weight, lora.a, lora.bias)
    wide = _widened(x, lora.a)
    return F.linear(wide, weight, lora.bias), wide[:, x.shape[1] :].clone()


def _widened(x: Tensor, a: Tensor) -> Tensor:
    """[x, x A^T]."""
    if thin(a.shape[0], x, a):
        return native.lora_widen(x, a)
    return torch.cat((x, x @ a.t()), 1)


def _narrowed(both: Tensor, a: Tensor) -> Tensor:
    """dx0 + dlow A, of `both` = [dx0, dlow]."""
    if thin(a.shape[0], both, a):
        return native.lora_narrow(both, a)
    width = a.shape[1]
    return torch.addmm(both[:, :width], both[:, width:], a)


class Gradients(NamedTuple):
    """Gradients of x (T, d_in), A (r, d_in) and B (d_out, r), the latter two float32, or by samples and not
    here."""

    x: Tensor | None
    a: Tensor | None
    b: Tensor | None


def through(dy: Tensor, lora: Lora) -> tuple[Tensor, Tensor]:
    """dy (T, d_out) -> the gradients of x (T, d_in) and of x A^T (T, r)."""
    weight, width = whole(lora.weight), lora.a.shape[1]
    if len(dy) >= THIN_FROM and native.takes_wide(dy, weight, lora.a):
        return native.wide_backward(dy, weight, lora.a)
    both = dy @ weight
    return _narrowed(both, lora.a), both[:, width:]


def with_factors(dx: Tensor | None, parts: Operands, lora: Lora) -> Gradients:
    """The gradients of A and B beside that of x, or given to who takes them by samples."""
    if lora.taken is not None:
        lora.taken.take(parts)
        return Gradients(dx, None, None)
    return Gradients(dx, *factor_gradients(parts))


def lora_backward(
    dy: Tensor, x: Tensor, low: Tensor, lora: Lora, *, need_x: bool = True
) -> Gradients:
    """dy (T, d_out) -> the gradients."""
    if need_x:
        dx, d_low = through(dy, lora)
    else:
        dx, d_low = None, dy @ whole(lora.weight)[:, x.shape[1] :]
    return with_factors(dx, Operands(dy, x, low, d_low, lora.scale), lora)


class _LoraLinear(Function):
    @staticmethod
    def forward(  # noqa: PLR0913 - an autograd node takes its tensors one by one
        ctx: Any,
        x: Tensor,
        weight: Weight,
        bias: Tensor | None,
        lora_a: Tensor,
        lora_b: Tensor,
        scale: float,
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        samples = taken(lora_a, lora_b, len(rows))
        lora = Lora(weight, bias, lora_a.to(x.dtype), scale, samples)
        y, low = lora_forward(rows, lora)
        ctx.save_for_backward(rows, low, lora.a)
        ctx.frozen, ctx.shape = (weight, scale, samples), x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, low, a = ctx.saved_tensors
        dy = upstream[0].reshape(-1, upstream[0].shape[-1])
        weight, scale, samples = ctx.frozen
        lora = Lora(weight, None, a, scale, samples)
        need_x = ctx.needs_input_grad[0]
        grads = lora_backward(dy, rows, low, lora, need_x=need_x)
        dx = None if grads.x is None else grads.x.view(ctx.shape)
        return dx, None, None, grads.a, grads.b, None


def lora_linear(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None,
    lora_a: Tensor,
    lora_b: Tensor,
    scale: float,
) -> Tensor:
    """x (..., d_in), weight (d_out, d_in + r) ending in s B, lora_a (r, d_in) -> y (..., d_out)."""
    y: Tensor = _LoraLinear.apply(x, weight, bias, lora_a, lora_b, scale)  # type: ignore[no-untyped-call]
    return y


class _FrozenLinear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
        ctx.weight = weight
        return F.linear(x, whole(weight), bias)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        return upstream[0] @ whole(ctx.weight), None, None


def frozen_linear(x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
    """x W^T + b, for a weight without room; saved is nothing."""
    y: Tensor = _FrozenLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return y


class _RoomyLinear(Function):
    @staticmethod
    def forward(  # noqa: PLR0913 - an autograd node takes its tensors one by one
        ctx: Any,
        x: Tensor,
        low: Tensor,
        weight: Weight,
        bias: Tensor | None,
        lora_b: Tensor,
        scale: float,
    ) -> Tensor:
        ctx.save_for_backward(low)
        ctx.weight, ctx.scale, ctx.width = weight, scale, x.shape[-1]
        return F.linear(torch.cat((x, low), -1), whole(weight), bias)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (dy,), (low,) = upstream, ctx.saved_tensors
        both = dy @ whole(ctx.weight)
        d_b = None
        if ctx.needs_input_grad[4]:
            d_b = (dy.flatten(0, -2).t() @ low.flatten(0, -2)).float().mul_(ctx.scale)
        return both[..., : ctx.width], both[..., ctx.width :], None, None, d_b, None


def roomy_linear(
    x: Tensor, low: Tensor, weight: Weight, bias: Tensor | None, lora_b: Tensor, scale: float
) -> Tensor:
    """[x, low] [W, s B]^T + b, for a low part (..., r) that is made elsewhere."""
    y: Tensor = _RoomyLinear.apply(x, low, weight, bias, lora_b, scale)  # type: ignore[no-untyped-call]
    return y
