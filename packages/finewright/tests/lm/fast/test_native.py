"""Each kernel against its formula in float64, and how the kernels are built and found."""

import math
import platform
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from finewright.lm.fast import library, native
from finewright.lm.fast.library import Status
from referee import assert_close, drawn

pytestmark = pytest.mark.torch

both_formats = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
# One row and many (enough for a second thread), widths below, at and beside a vector's.
some_shapes = pytest.mark.parametrize(
    "shape", [(1, 1), (1, 15), (3, 16), (5, 33), (70, 577)], ids=str
)
# Half a unit in the last place, and a little for the arithmetic before the one rounding.
_HALF_UNIT = {torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8}
ARITHMETIC = 2e-6


def assert_rounded(found: Tensor, true: Tensor, arithmetic: float = ARITHMETIC) -> None:
    """Equal to the float64 result rounded once, number by number."""
    assert found.shape == true.shape
    allowed = (_HALF_UNIT[found.dtype] * 1.01 + arithmetic) * true.abs()
    allowed += arithmetic * true.abs().amax(-1, keepdim=True)
    assert ((found.double() - true).abs() <= allowed).all()


def strided(x: Tensor) -> Tensor:
    """The same numbers as rows of a wider matrix."""
    wide = x.new_zeros(*x.shape[:-1], x.shape[-1] + 7)
    wide[..., : x.shape[-1]] = x
    return wide[..., : x.shape[-1]]


def exact_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


@both_formats
@some_shapes
@pytest.mark.parametrize("size", [1.0, 1e-4, 1e8])
def test_rms_norm(kernels: None, dtype: torch.dtype, shape: tuple[int, int], size: float) -> None:
    x = strided((drawn(*shape, seed=0) * size).to(dtype))
    weight, dy = drawn(shape[1], seed=1), drawn(*shape, seed=2).to(dtype)
    exact = x.double().requires_grad_()
    true = exact_norm(exact, weight.double(), 1e-6)
    true.backward(dy.double())

    y, rstd = native.rms_forward(x, weight, 1e-6)
    dx = native.rms_backward(dy, x, weight, rstd)

    assert_rounded(y, true.detach())
    # each row's gradient is a difference: it cancels where x is large beside what is left
    spread = (dy.double() * weight).abs().amax(-1, keepdim=True) * rstd[:, None]
    assert (
        (dx.double() - exact.grad).abs()
        <= _HALF_UNIT[dtype] * 1.01 * exact.grad.abs() + 3e-6 * spread
    ).all()


def test_rms_norm_of_a_row_of_zeros_is_zeros(kernels: None) -> None:
    y, rstd = native.rms_forward(torch.zeros(2, 20), torch.ones(20), 1e-6)
    assert torch.equal(y, torch.zeros(2, 20))
    assert rstd.tolist() == pytest.approx([1e3, 1e3])


@both_formats
@pytest.mark.parametrize(
    ("heads", "dim", "rotary"), [(1, 2, 2), (3, 16, 16), (4, 80, 32), (9, 64, 64)]
)
@pytest.mark.parametrize("transposed", [False, True])
def test_rope(
    kernels: None, dtype: torch.dtype, heads: int, dim: int, rotary: int, transposed: bool
) -> None:
    tokens = 37
    x = drawn(heads, tokens, dim, seed=0).to(dtype).transpose(0, 1)  # (T, H, D) by strides
    cos, sin = drawn(tokens, rotary, seed=1).to(dtype), drawn(tokens, rotary, seed=2).to(dtype)

    y = native.rope(x, cos, sin, transposed=transposed)

    half = rotary // 2
    first, second = torch.arange(half), torch.arange(half, rotary)
    turn = torch.eye(dim, dtype=torch.float64).repeat(tokens, 1, 1)
    turn[:, first, first], turn[:, second, second] = cos[:, :half].double(), cos[:, half:].double()
    turn[:, first, second], turn[:, second, first] = -sin[:, :half].double(), sin[:, half:].double()
    turn = turn.mT if transposed else turn
    assert_rounded(y, torch.einsum("tij,thj->thi", turn, x.double()))
    assert y.is_contiguous()


def exact_glu(gelu: bool, gate: Tensor, up: Tensor) -> Tensor:
    return (F.gelu(gate, approximate="tanh") if gelu else F.silu(gate)) * up


@both_formats
@some_shapes
@pytest.mark.parametrize("gelu", [False, True], ids=["silu", "gelu"])
def test_glu(kernels: None, dtype: torch.dtype, shape: tuple[int, int], gelu: bool) -> None:
    both = (drawn(shape[0], 2 * shape[1], seed=0) * 4).to(dtype)
    gate, up = both.chunk(2, 1)  # halves of one matrix, as a fused linear gives them
    dh = strided(drawn(*shape, seed=1).to(dtype))
    exact_gate, exact_up = (t.double().requires_grad_() for t in (gate, up))
    true = exact_glu(gelu, exact_gate, exact_up)
    true.backward(dh.double())

    h = native.glu_forward(gelu, gate, up)
    d_gate, d_up, again = native.glu_backward(gelu, gate, up, dh)

    assert_rounded(h, true.detach())
    assert torch.equal(again, h)
    assert_rounded(d_gate, exact_gate.grad)
    assert_rounded(d_up, exact_up.grad)


@both_formats
@pytest.mark.parametrize("gelu", [False, True], ids=["silu", "gelu"])
def test_glu_far_from_zero_is_the_gate_or_nothing(
    kernels: None, dtype: torch.dtype, gelu: bool
) -> None:
    gate = torch.tensor([[-3e4, -120.0, -90.0, 0.0, 90.0, 120.0, 3e4]]).to(dtype)
    up = torch.full_like(gate, 2.0)
    h = native.glu_forward(gelu, gate, up)
    d_gate, d_up, _ = native.glu_backward(gelu, gate, up, torch.ones_like(gate))
    assert torch.allclose(h.double(), gate.double().relu() * 2, rtol=1e-2, atol=1e-20)
    assert torch.allclose(d_up.double(), gate.double().relu(), rtol=1e-2, atol=1e-20)
    assert torch.allclose(
        d_gate.double(), torch.tensor([0, 0, 0, 1, 2, 2, 2.0]).double(), atol=1e-20
    )


def exact_slopes(logits: Tensor, targets: Tensor) -> Tensor:
    """d log p(target) / d logits, row by row: onehot - softmax."""
    return F.one_hot(targets, logits.shape[1]).double() - logits.double().softmax(-1)


@both_formats
@pytest.mark.parametrize("vocab", [1, 2, 15, 17, 4096, 4097, 9001])
@pytest.mark.parametrize("size", [0.1, 5.0, 300.0])
def test_cross_entropy(kernels: None, dtype: torch.dtype, vocab: int, size: float) -> None:
    logits = (drawn(5, vocab, seed=0) * size).to(dtype)
    targets = torch.tensor([0, vocab - 1, vocab // 2, vocab // 3, 0])
    true = logits.double().log_softmax(-1).gather(1, targets[:, None])[:, 0]
    slopes = exact_slopes(logits, targets)
    logps, kept = torch.empty(5), logits.clone()

    native.cross_entropy(logits, targets, logps, grad=False)
    assert torch.equal(logits, kept)
    assert torch.allclose(logps.double(), true, rtol=1e-6, atol=2e-6)

    native.cross_entropy(logits, targets, logps, grad=True)
    # exp(z - lse) carries the rounding of z - lse, at most 1e-7 of z
    rel = _HALF_UNIT[dtype] * 1.01 + 1e-6 + 1e-7 * size
    assert ((logits.double() - slopes).abs() <= rel * slopes.abs() + 1e-6).all()


def test_cross_entropy_of_masked_logits_gives_them_no_slope(kernels: None) -> None:
    logits = torch.tensor([[1.0, -math.inf, 2.0], [-math.inf, 0.0, -math.inf]])
    logps = torch.empty(2)
    native.cross_entropy(logits, torch.tensor([2, 1]), logps, grad=True)
    assert logps.tolist() == pytest.approx([-math.log1p(math.exp(-1)), 0.0], abs=1e-6)
    share = 1 / (1 + math.exp(-1))
    wanted = torch.tensor([[share - 1, 0.0, 1 - share], [0.0, 0.0, 0.0]])
    assert torch.allclose(logits, wanted, atol=1e-6)


NAN_ROW = 1


def with_nan(x: Tensor) -> Tensor:
    """The same with one NaN in one row."""
    x = x.clone()
    x[NAN_ROW, 2] = math.nan
    return x


def _norm(x: Tensor) -> Tensor:
    return native.rms_forward(x, torch.ones(x.shape[1]), 1e-6)[0]


def _norm_back(x: Tensor) -> Tensor:
    _, rstd = native.rms_forward(x, torch.ones(x.shape[1]), 1e-6)
    return native.rms_backward(torch.ones_like(x), x, torch.ones(x.shape[1]), rstd)


def _glu(x: Tensor) -> Tensor:
    return native.glu_forward(False, x, torch.ones_like(x))


def _glu_back(x: Tensor) -> Tensor:
    return native.glu_backward(True, x, torch.ones_like(x), torch.ones_like(x))[0]


def _logps(x: Tensor) -> Tensor:
    logps = torch.empty(len(x))
    native.cross_entropy(x.clone(), torch.zeros(len(x), dtype=torch.long), logps, grad=True)
    return logps[:, None]


@both_formats
@pytest.mark.parametrize("kernel", [_norm, _norm_back, _glu, _glu_back, _logps])
def test_a_nan_stays_in_its_row_and_is_not_lost(
    kernels: None, dtype: torch.dtype, kernel: Callable[[Tensor], Tensor]
) -> None:
    x = drawn(3, 40, seed=0).to(dtype)
    clean, found = kernel(x), kernel(with_nan(x))
    assert found[NAN_ROW].isnan().any()
    others = [row for row in range(3) if row != NAN_ROW]
    assert torch.equal(found[others], clean[others])


def test_only_rows_of_one_format_on_the_cpu_are_taken(kernels: None) -> None:
    x = torch.ones(4, 6)
    assert native.ready(x, x)
    assert native.ready(x.bfloat16())
    assert not native.ready(x, x.bfloat16())
    assert not native.ready(x.half())
    assert not native.ready(x.double())
    assert not native.ready(x.t())
    assert not native.ready(torch.ones(4, 6, device="meta"))


def test_off_is_off_inside_only_also_after_an_error(kernels: None) -> None:
    x = torch.ones(1, 2)
    with native.off():
        assert not native.ready(x)
        assert not native.attends()
    with pytest.raises(ZeroDivisionError), native.off():
        raise ZeroDivisionError
    assert native.ready(x)


def fresh_status() -> Status:
    """What a process that starts now would find."""
    return library.status.__wrapped__()


def compiler(path: Path, script: str) -> Path:
    """A program in the place of a C++ compiler."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_kernels_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINEWRIGHT_KERNELS", "off")
    assert fresh_status() == (None, "FINEWRIGHT_KERNELS is off", False, False)


def test_without_a_compiler_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = fresh_status()
    assert found.library is None
    assert "no C++ compiler is installed" in found.reason


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = "echo 'In file x:' >&2; echo 'x.cpp:1: error: boom' >&2; exit 1"
    monkeypatch.setenv("CXX", str(compiler(tmp_path / "cc", script)))
    found = fresh_status()
    assert found.library is None
    assert found.reason == "the kernels could not be built: x.cpp:1: error: boom"


def test_a_library_that_cannot_be_loaded_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = 'while [ "$1" != -o ]; do shift; done; echo no library > "$2"'
    monkeypatch.setenv("CXX", str(compiler(tmp_path / "cc", script)))
    found = fresh_status()
    assert found.library is None
    assert found.reason.startswith("the kernels could not be built: ")


def test_the_kernels_are_compiled_once_for_each_compiler(
    kernels: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built, calls = library.status().library._name, tmp_path / "calls"
    script = f'echo >> {calls}; while [ "$1" != -o ]; do shift; done; cp {built} "$2"'
    monkeypatch.setenv("CXX", str(compiler(tmp_path / "cc", script)))
    assert fresh_status().library is not None
    once = len(calls.read_text())  # a call for each of their files, and one that joins them
    assert once
    assert fresh_status().library is not None
    assert len(calls.read_text()) == once
    compiler(tmp_path / "cc", f"{script} # another version")
    assert fresh_status().library is not None
    assert len(calls.read_text()) == 2 * once


@pytest.mark.parametrize("rank", [16, 32])
@pytest.mark.parametrize(("tokens", "width"), [(1, 16), (7, 48), (30, 64), (131, 208)])
def test_thin_products_are_those_of_float64_rounded_once(
    kernels: None, tokens: int, width: int, rank: int
) -> None:
    """Odd counts of tokens, widths that fill no block, and rows that lie apart."""
    x = drawn(tokens, width, seed=0).bfloat16()
    wider = torch.empty(tokens, width + 8, dtype=torch.bfloat16)
    wider[:, :width] = x
    apart, a = wider[:, :width], drawn(rank, width, seed=1).bfloat16()
    both = drawn(tokens, width + rank, seed=2).bfloat16()
    if not native.takes_thin(rank, apart, a, both):
        pytest.skip("this machine has no bfloat16 dot products")
    base, low = both[:, :width].double(), both[:, width:].double()
    step = torch.finfo(torch.bfloat16).eps

    wide = native.lora_widen(apart, a)
    assert torch.equal(wide[:, :width], x)
    assert_close(wide[:, width:].double(), x.double() @ a.double().t(), rel=step)
    assert_close(native.lora_narrow(both, a).double(), base + low @ a.double(), rel=step)
    found = native.lora_outer(both[:, width:], apart)
    assert found.dtype == torch.float32
    assert_close(found.double(), low.t() @ x.double(), rel=1e-6)
    turned = native.lora_outer_turned(both[:, width:], apart, 0.25)
    assert torch.equal(turned, found.t() * 0.25)
    assert turned.is_contiguous()


@pytest.mark.parametrize("rank", [16, 32, 48])
@pytest.mark.parametrize(
    ("tokens", "width", "count"), [(1, 32, 32), (31, 64, 96), (100, 576, 192), (515, 1536, 608)]
)
def test_wide_products_are_those_of_float64_rounded_once(
    kernels: None, tokens: int, width: int, count: int, rank: int
) -> None:
    """Blocks of rows that are not full, weights of several slabs, rows that lie apart."""
    x = strided_by_8(drawn(tokens, width, seed=0).bfloat16())
    dy = strided_by_8(drawn(tokens, count, seed=1).bfloat16())
    weight = drawn(count, width + rank, seed=2).bfloat16()
    a = drawn(rank, width, seed=3).bfloat16()
    bias = drawn(count, seed=4).bfloat16()
    if not native.takes_wide(x, weight, a, bias):
        pytest.skip("this machine has no tiles")
    base, room = weight[:, :width].double(), weight[:, width:].double()
    step = torch.finfo(torch.bfloat16).eps

    y, low = native.wide_forward(x, weight, a, bias)
    assert_close(low.double(), x.double() @ a.double().t(), rel=step)
    assert_close(y.double(), x.double() @ base.t() + low.double() @ room.t() + bias, rel=step)

    dx, d_low = native.wide_backward(dy, weight, a)
    assert_close(d_low.double(), dy.double() @ room, rel=step)
    assert_close(dx.double(), dy.double() @ base + d_low.double() @ a.double(), rel=step)


def test_what_the_tiles_do_not_take_is_told(kernels: None) -> None:
    weight, x, a = drawn(64, 80, seed=0), drawn(3, 64, seed=1), drawn(16, 64, seed=2)
    weight, x, a = weight.bfloat16(), x.bfloat16(), a.bfloat16()
    if not native.takes_wide(x, weight, a):
        pytest.skip("this machine has no tiles")
    assert not native.takes_wide(x.float(), weight, a)
    assert not native.takes_wide(x, weight.t(), a)
    assert not native.takes_wide(x, weight, a[:8])
    assert not native.takes_wide(x, weight[:48], a)
    assert not native.takes_wide(x, weight, a.t().contiguous().t())
    assert not native.takes_wide(x, weight, a, bias=drawn(64, seed=3))


def strided_by_8(x: Tensor) -> Tensor:
    """The same numbers as rows of a wider matrix, at even steps."""
    wide = x.new_zeros(x.shape[0], x.shape[1] + 8)
    wide[:, : x.shape[1]] = x
    return wide[:, : x.shape[1]]


@pytest.mark.parametrize("unit", sorted(library._SOURCES.glob("*.cpp")), ids=lambda path: path.stem)
@pytest.mark.parametrize("processor", ["x86-64-v3", "x86-64-v4", "znver4"])
def test_the_kernels_are_valid_for_processors_with_and_without_wide_vectors(
    unit: Path, processor: str, kernels: None
) -> None:
    if platform.machine() != "x86_64" or shutil.which("g++") is None:
        pytest.skip("needs g++ on x86-64")
    flags = [flag for flag in library._FLAGS if not flag.startswith(("-march", "-O"))]
    command = ["g++", *flags, f"-march={processor}", "-O0", "-fsyntax-only", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
