"""The CPU kernels of kernels/: compiled once per machine, loaded in milliseconds, never required.

The source is compiled by the machine's own C++ compiler for its own processor, into the cache, named by
the digest of all that decides the result: the source, the flags, the compiler and the processor. Without
a compiler every caller computes the same in plain torch, and `status` says why. torch.compile would do
part of this from the plain formulas, but takes 13-35 s the first time and 4 s to import ever after; this
takes 5 s once."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from finewright.errors import FinewrightError
from finewright.fetch.cache import cache_dir

_SOURCES = sorted(Path(__file__).with_name("kernels").iterdir())
# No option that changes results between loops and their vectors: sums are vectors where the source says so.
_FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"),
    *("-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math"),
)
_SUFFIX = {torch.float32: "f32", torch.bfloat16: "bf16"}
_WIDEST_ON_GPU = 256  # see flash.py
_disabled = False
_rehearsed: Literal["", "cpu", "gpu"] = ""


class Status(NamedTuple):
    """The loaded kernels, or why there are none; which of those are among them that need a processor's help:
    bfloat16 dot products for `attention`, tiles for `wide` products."""

    library: ctypes.CDLL | None
    reason: str
    attention: bool = False
    wide: bool = False


@cache
def status() -> Status:
    """Compile the kernels, or find them in the cache, and load them."""
    if os.environ.get("FINEWRIGHT_KERNELS", "") == "off":
        return Status(None, "FINEWRIGHT_KERNELS is off")
    if platform.system() != "Linux":
        return Status(None, "the kernels are built on Linux only")
    compiler = next(filter(None, map(shutil.which, _compilers())), None)
    if compiler is None:
        return Status(None, "no C++ compiler is installed (g++ or clang++)")
    try:
        path = _built(Path(compiler))
        library = ctypes.CDLL(str(path))
        library.fw_has_attention.restype = library.fw_has_wide.restype = ctypes.c_int64
        return Status(library, "", bool(library.fw_has_attention()), bool(library.fw_has_wide()))
    except (OSError, AttributeError, FinewrightError, subprocess.SubprocessError) as error:
        return Status(None, f"the kernels could not be built: {_first_line(error)}")


def _compilers() -> Sequence[str]:
    own = os.environ.get("CXX")
    return (own,) if own else ("g++", "clang++")


def _built(compiler: Path) -> Path:
    told = (*(path.read_bytes() for path in _SOURCES), " ".join(_FLAGS).encode(), _version(compiler), _processor())
    digest = hashlib.sha256(b"\0".join(told)).hexdigest()[:16]
    folder = cache_dir() / "kernels"
    target = folder / f"{digest}.so"
    if not target.exists():
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as scratch:
            made = Path(scratch) / target.name
            units = [str(path) for path in _SOURCES if path.suffix == ".cpp"]
            command = [str(compiler), *_FLAGS, *units, "-o", str(made)]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
            made.replace(target)
    return target


def _version(compiler: Path) -> bytes:
    facts = compiler.resolve().stat()
    return f"{compiler.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode()


def _processor() -> bytes:
    """What -march=native sees: the processor's model and instructions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    wanted = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.startswith(wanted)).encode()


def _first_line(error: Exception) -> str:
    told = getattr(error, "stderr", None) or str(error)
    lines = [line for line in told.splitlines() if "error" in line] or told.splitlines()
    return lines[0] if lines else type(error).__name__


def ready(*tensors: Tensor) -> bool:
    """Can the kernels take these tensors: on the CPU, all float32 or all bfloat16, rows contiguous?"""
    first = tensors[0]
    return (
        not _disabled
        and _rehearsed != "gpu"
        and first.dtype in _SUFFIX
        and all(
            t.device.type == "cpu" and t.dtype == first.dtype and t.stride(-1) == 1 for t in tensors
        )
        and status().library is not None
    )


def unpacks(*tensors: Tensor) -> bool:
    """Can the kernels pack and unpack these? In a rehearsal any, as torch does it in many small parts."""
    return bool(_rehearsed) or ready(*tensors)


def attends() -> bool:
    """Are the attention kernels here and in use?"""
    return not _disabled and status().attention


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


def glu_backward(gelu: bool, gate: Tensor, up: Tensor, dh: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of gate and up, given h's."""
    dg, du = gate.new_empty(gate.shape), gate.new_empty(gate.shape)
    gu_row, dh_row, d_row = gate.stride(0), dh.stride(0), dg.stride(0)
    rows, width = gate.shape
    arguments = (gate, up, gu_row, dh, dh_row, dg, du, d_row, rows, width)
    _call("glu_backward", gate.dtype, int(gelu), *arguments)
    return dg, du


def cross_entropy(logits: Tensor, targets: Tensor, logps: Tensor, *, grad: bool) -> None:
    """logps (N,) of the targets; with `grad`, logits (N, V) become d logps / d logits in place."""
    _call("cross_entropy", logits.dtype, logits, targets, logps, *logits.shape, int(grad))


class Heads(NamedTuple):
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


def takes_heads(heads: Heads) -> bool:
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


def attention_forward(heads: Heads, segments: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
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
    heads: Heads, d_out: Tensor, out: Tensor, lse: Tensor, segments: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value, contiguous, given that of `out`."""
    grads = [part.new_empty(part.shape) for part in heads[:3]]
    flat = _integers(*(number for segment in segments for number in segment))
    # A tree is a prefix with all that sees it; keys of one tree are never seen from another.
    trees = [i for i, (_, _, _, prefix) in enumerate(segments) if not prefix] + [len(segments)]
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


def takes_thin(rank: int, *parts: Tensor) -> bool:
    """Can the thin products of LoRA take these matrices? bfloat16, widths in sixteens, rows at even steps."""
    return (
        rank % 16 == 0
        and attends()
        and parts[0].dtype == torch.bfloat16
        and ready(*parts)
        and all(part.shape[1] % 16 == 0 and part.stride(0) % 2 == 0 for part in parts)
    )


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
    tokens, rank = low.shape
    out = x.new_empty(rank, x.shape[1], dtype=torch.float32)
    _call("lora_outer", None, low, low.stride(0), x, x.stride(0), out, tokens, x.shape[1], rank)
    return out


def takes_wide(x: Tensor, weight: Tensor, rank: int) -> bool:
    """Can the products by tiles take x (T, K) or dy (T, N) and the weight (N, K + r)?"""
    count, width = weight.shape
    return (
        x.dtype == torch.bfloat16
        and not (count % 32 or (width - rank) % 32 or rank % 16 or x.stride(0) % 2)
        and ready(x, weight)
        and weight.is_contiguous()
        and status().wide
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


class Nf4(NamedTuple):
    """A weight in NF4 as quantized.py keeps it, and the two tables it is read with."""

    codes: Tensor
    scales: Tensor
    scale_scales: Tensor
    mean: float
    levels: Tensor
    dynamic: Tensor


def nf4_unpack(weight: Nf4, out: Tensor) -> None:
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


def _call(name: str, dtype: torch.dtype | None, *arguments: object) -> None:
    if _rehearsed:
        return
    library = status().library
    assert library is not None
    suffix = "" if dtype is None else f"_{_SUFFIX[dtype]}"
    library[f"fw_{name}{suffix}"](*map(_as_c, arguments))


def _as_c(argument: object) -> object:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    return argument
