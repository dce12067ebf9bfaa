"""The CPU kernels as functions of tensors, and which tensors they take; see library.py for how they get here.

Each kernel's formula is in the module that uses it, with a plain form for where no kernel is."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from finewright.lm.fast.library import Argument, call, status

_SUFFIX = {torch.float32: "f32", torch.bfloat16: "bf16"}
_WIDEST_ON_GPU = 256  # see flash.py
_disabled = False
_rehearsed: Literal["", "cpu", "gpu"] = ""


def ready(*tensors: Tensor) -> bool:
    """Can the kernels take these tensors: on the CPU, all float32 or all bfloat16, rows contiguous?"""
    dtype = tensors[0].dtype
    if _disabled or _rehearsed == "gpu" or dtype not in _SUFFIX:
        return False
    for t in tensors:  # no generator: this is asked a thousand times a step
        if t.dtype != dtype or t.stride(-1) != 1 or t.device.type != "cpu":
            return False
    return status().library is not None


def is_rehearsed() -> bool:
    """Whether tensors have no numbers now, so that nothing can be compared."""
    return bool(_rehearsed)


def unpacks(*tensors: Tensor) -> bool:
    """Can the kernels pack and unpack these? In a rehearsal any, as torch does it in many small parts."""
    return bool(_rehearsed) or ready(*tensors)


def attends() -> bool:
    """Are the attention kernels here and in use?"""
    return not _disabled and status().dots


@contextmanager
def off() -> Iterator[None]:
    """Plain torch inside, as on a machine without a compiler."""
    global _disabled  # noqa: PLW0603 - one switch for the process, flipped by checks only
    before, _disabled = _disabled, True
    try:
        yield
    finally:
        _disabled = before


@contextmanager
def rehearsal(target: Literal["cpu", "gpu"]) -> Iterator[None]:
    """For tensors without numbers: kernels make what they would return and compute nothing.

    As on a GPU, formulas inside are plain torch, and attention keeps what the kernel there keeps."""
    global _rehearsed  # noqa: PLW0603 - one switch for the process, flipped by traces only
    before, _rehearsed = _rehearsed, target
    try:
        yield
    finally:
        _rehearsed = before


def rms_forward(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x (R, W) -> x / rms(x) * weight (R, W), and 1 / rms (R,) float32. weight is float32."""
    y, rstd = x.new_empty(x.shape), x.new_empty(x.shape[0], dtype=torch.float32)
    _call("rms_forward", x.dtype, x, x.stride(0), weight, y, rstd, *x.shape, eps)
    return y, rstd


def rms_backward(dy: Tensor, x: Tensor, weight: Tensor, rstd: Tensor) -> Tensor:
    """The gradient of rms_forward's x, (R, W); dy is contiguous."""
    dx = x.new_empty(x.shape)
    _call("rms_backward", x.dtype, dy, x, x.stride(0), weight, rstd, dx, *x.shape)
    return dx


def rope(x: Tensor, cos: Tensor, sin: Tensor, *, transposed: bool) -> Tensor:
    """x (T, H, D) rotated by cos, sin (T, rotary), or back; contiguous."""
    tokens, heads, dim = x.shape
    y = x.new_empty(x.shape)
    strides = x.stride(0), x.stride(1)
    shape = tokens, heads, dim, cos.shape[-1]
    _call("rope", x.dtype, x, *strides, cos, sin, y, *shape, int(transposed))
    return y


def glu_forward(gelu: bool, gate: Tensor, up: Tensor) -> Tensor:
    """act(gate) * up; gate and up (R, W) of equal strides."""
    h = gate.new_empty(gate.shape)
    _call(
        "glu_forward", gate.dtype, int(gelu), gate, up, gate.stride(0), h, h.stride(0), *gate.shape
    )
    return h


def glu_backward(gelu: bool, gate: Tensor, up: Tensor, dh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of gate and up, given h's, and h, in the place of its gradient."""
    dg, du = gate.new_empty(gate.shape), gate.new_empty(gate.shape)
    gu_row, dh_row, d_row = gate.stride(0), dh.stride(0), dg.stride(0)
    rows, width = gate.shape
    arguments = (gate, up, gu_row, dh, dh_row, dg, du, d_row, rows, width)
    _call("glu_backward", gate.dtype, int(gelu), *arguments)
    return dg, du, dh


def cross_entropy(logits: Tensor, targets: Tensor, logps: Tensor, *, grad: bool) -> None:
    """logps (N,) of the targets; with `grad`, logits (N, V) become d logps / d logits in place."""
    _call("cross_entropy", logits.dtype, logits, targets, logps, *logits.shape, int(grad))


class AttentionHeads(NamedTuple):
    """Queries, keys and values (T, heads, D) as views, and what the kernels need to know of them."""

    query: Tensor
    key: Tensor
    value: Tensor
    scale: float
    window: int

    @property
    def shape(self) -> Sequence[int]:
        """T, query heads, key heads, width of queries and keys, width of values."""
        return (*self.query.shape[:2], self.key.shape[1], self.query.shape[2], self.value.shape[2])


def takes_heads(heads: AttentionHeads) -> bool:
    """Can the attention kernels take these? bfloat16, widths in sixteens, rows at even offsets."""
    parts = heads[:3]
    if _rehearsed == "gpu":  # torch's kernels there: of segments, or of one where widths differ
        widest = max(part.shape[2] for part in parts)
        return heads.query.dtype == torch.bfloat16 and widest <= _WIDEST_ON_GPU
    return (
        ready(*parts)
        and attends()
        and heads.query.dtype == torch.bfloat16
        and all(part.shape[2] % 16 == 0 and _even(part) for part in parts)
    )


def _even(x: Tensor) -> bool:
    even = x.stride(0) % 2 == 0 and x.stride(1) % 2 == 0
    return even and (bool(_rehearsed) or x.data_ptr() % 4 == 0)


def attention_forward(
    heads: AttentionHeads, segments: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """(T, H, D_v) and log-sum-exp (H, T) float32. A segment is start, length, prefix start, prefix length."""
    tokens, count = heads.query.shape[:2]
    out = heads.query.new_empty(tokens, count, heads.value.shape[2])
    lse = heads.query.new_empty(count, tokens, dtype=torch.float32)
    flat = _integers(*(number for segment in segments for number in segment))
    _call(
        "attention_forward",
        None,
        *heads[:3],
        _strides(*heads[:3]),
        out,
        lse,
        _integers(*heads.shape),
        flat,
        len(segments),
        heads.scale,
        heads.window,
    )
    return out, lse


def attention_backward(
    heads: AttentionHeads,
    d_out: Tensor,
    out: Tensor,
    lse: Tensor,
    segments: Sequence[Sequence[int]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value, contiguous, given that of `out`."""
    grads = [part.new_empty(part.shape) for part in heads[:3]]
    flat = _integers(*(number for segment in segments for number in segment))
    trees = [*_trees(segments), len(segments)]
    _call(
        "attention_backward",
        None,
        *heads[:3],
        d_out,
        _strides(*heads[:3], d_out),
        out,
        lse,
        *grads,
        _integers(*heads.shape),
        flat,
        _integers(*trees),
        len(trees) - 1,
        heads.scale,
        heads.window,
    )
    return grads[0], grads[1], grads[2]


def _trees(segments: Sequence[Sequence[int]]) -> list[int]:
    """Where the trees begin. A tree is segments in a row whose prefixes lie among them, so that no token sees
    one of another tree."""
    starts: list[int] = []
    for i, (_, _, prefix, length) in enumerate(segments):
        if not length:
            starts.append(i)
            continue
        while segments[starts[-1]][0] > prefix:  # other trees were laid after this prefix
            starts.pop()
    return starts


def takes_thin(rank: int, *parts: Tensor) -> bool:
    """Can the thin products of LoRA take these matrices? bfloat16, widths in sixteens, rows at even steps."""
    if rank % 16 or not attends() or parts[0].dtype != torch.bfloat16:
        return False
    for part in parts:
        if part.shape[1] % 16 or part.stride(0) % 2:
            return False
    return ready(*parts)


def lora_widen(x: Tensor, a: Tensor) -> Tensor:
    """[x, x A^T] (T, d_in + r), of x (T, d_in) and A (r, d_in)."""
    rank, width = a.shape
    out = x.new_empty(x.shape[0], width + rank)
    _call("lora_widen", None, x, x.stride(0), a, out, x.shape[0], width, rank)
    return out


def lora_narrow(both: Tensor, a: Tensor) -> Tensor:
    """both[:, :d_in] + both[:, d_in:] A (T, d_in), of contiguous `both` (T, d_in + r)."""
    rank, width = a.shape
    dx = both.new_empty(both.shape[0], width)
    _call("lora_narrow", None, both, a, dx, both.shape[0], width, rank)
    return dx


def lora_outer(low: Tensor, x: Tensor) -> Tensor:
    """low^T x (r, d), float32, of low (T, r) and x (T, d), both in sixteens."""
    return _outer(low, x, low.new_empty(low.shape[1], x.shape[1], dtype=torch.float32), 1.0, 0)


def lora_outer_turned(low: Tensor, x: Tensor, scale: float) -> Tensor:
    """scale x^T low (d, r), float32."""
    out = low.new_empty(x.shape[1], low.shape[1], dtype=torch.float32)
    return _outer(low, x, out, scale, 1)


def _outer(low: Tensor, x: Tensor, out: Tensor, scale: float, turned: int) -> Tensor:
    rows = low, low.stride(0), x, x.stride(0), out
    _call("lora_outer", None, *rows, low.shape[0], x.shape[1], low.shape[1], scale, turned)
    return out


def lora_room(b: Tensor, scale: float, room: Tensor) -> None:
    """Write scale * b (d_out, r), float32, into the room (d_out, r) beside a weight of any row stride."""
    _call("lora_room", room.dtype, b, scale, room, room.stride(0), *b.shape)


def takes_wide(x: Tensor, weight: Tensor, a: Tensor, bias: Tensor | None = None) -> bool:
    """Can the products by tiles take x (T, K) or dy (T, N), the weight (N, K + r), A (r, K), a bias (N,)?"""
    (count, width), rank = weight.shape, a.shape[0]
    return (
        x.dtype == torch.bfloat16
        and not (count % 32 or (width - rank) % 32 or rank % 16 or x.stride(0) % 2)
        and (ready(x, weight, a) if bias is None else ready(x, weight, a, bias))
        and weight.is_contiguous()
        and a.is_contiguous()
        and status().tiles
    )


def wide_forward(
    x: Tensor, weight: Tensor, a: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """x (T, K), weight (N, K + r) ending in s B, a (r, K) -> y (T, N) and x A^T (T, r), a view."""
    (rank, width), tokens, count = a.shape, x.shape[0], weight.shape[0]
    y, low = x.new_empty(tokens, count), x.new_empty(tokens, _padded(rank))
    parts = x, x.stride(0), weight, a, bias, y, low
    _call("wide_forward", None, *parts, tokens, width, count, rank)
    return y, low[:, :rank]


def wide_backward(dy: Tensor, weight: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """dy (T, N), weight (N, K + r) ending in s B, a (r, K) -> dy W + dlow A (T, K) and dlow = s dy B (T, r),
    a view."""
    (rank, width), (tokens, count) = a.shape, dy.shape
    dx, d_low = dy.new_empty(tokens, width), dy.new_empty(tokens, _padded(rank))
    _call(
        *("wide_backward", None, dy, dy.stride(0), weight, a, dx, d_low),
        *(tokens, width, count, rank),
    )
    return dx, d_low[:, :rank]


def _padded(rank: int) -> int:
    """The kernels keep the thin side in columns of 32; what is beyond the rank is zeros."""
    return -(-rank // 32) * 32


class Nf4Weight(NamedTuple):
    """A weight in NF4 as quantized.py keeps it, and the two tables it is read with."""

    codes: Tensor
    scales: Tensor
    scale_scales: Tensor
    mean: float
    levels: Tensor
    dynamic: Tensor


def nf4_unpack(weight: Nf4Weight, out: Tensor) -> None:
    """Write the weight into `out` (d_out, d_in), rows contiguous."""
    _call("nf4_unpack", out.dtype, *weight, out, out.stride(0), *out.shape)


def nf4_pack(
    weight: Tensor, borders: Tensor, tiny: float, codes: Tensor, magnitudes: Tensor
) -> None:
    """Fill codes (d_out, blocks, 32) and the blocks' magnitudes; `borders` part the 16 levels."""
    _call(
        "nf4_pack",
        weight.dtype,
        *(weight, weight.stride(0), borders, tiny, codes, magnitudes),
        *weight.shape,
    )


def int8_pack(weight: Tensor, tiny: float, codes: Tensor, scales: Tensor) -> None:
    """Fill codes (d_out, d_in) and scales (d_out,)."""
    _call("int8_pack", weight.dtype, weight, weight.stride(0), tiny, codes, scales, *weight.shape)


def int8_unpack(codes: Tensor, scales: Tensor, out: Tensor) -> None:
    """out (d_out, d_in) = codes * scales, row by row."""
    _call("int8_unpack", out.dtype, codes, scales, out, out.stride(0), *out.shape)


def _strides(*parts: Tensor) -> ctypes.Array[ctypes.c_int64]:
    return _integers(*(stride for part in parts for stride in part.stride()[:2]))


def _integers(*numbers: int) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * len(numbers))(*numbers)


def _call(name: str, dtype: torch.dtype | None, *arguments: Argument) -> None:
    if not _rehearsed:
        call(name if dtype is None else f"{name}_{_SUFFIX[dtype]}", *arguments)
