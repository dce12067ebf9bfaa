"""Frozen weights kept in 4 or 8 bits, and made whole where a product needs them.

NF4 (Dettmers et al. 2023, arXiv:2305.14314). Each block of 64 weights is divided by its largest magnitude
and rounded to the nearest of 16 levels, which are quantiles of a normal distribution. The magnitudes are
themselves kept in 8 bits, less their mean, in blocks of 256 ("double quantisation"), on the dynamic map of
Dettmers et al. 2021 (arXiv:2110.02861):

    w ~ level[code] * scale            scale = map[code8] * scale8 + mean

4 + 8/64 + 32/(64 * 256) = 4.13 bits a weight, 0.26 of bfloat16. Blocks start at each row, so that rows can
be made whole alone; for widths in sixty-fours, which all but toy models have, they are the paper's.

int8: w ~ code * scale, scale = a row's largest magnitude / 127; 0.5 of bfloat16.

A weight is made whole each time it is used, in the forward and again in the backward, in a scratch that
all linears of a model share, with room for s B beside it (see linear.py): the delta stays inside the GEMM
and nothing whole is ever saved for the backward. Memory: the packed weights and the largest linear once.
Time: a core of a Zen 4 writes about 20 G weights/s in bfloat16 (10 with AVX2 alone), so 2 % of a step.
Products are taken with numbers of the model's format; arithmetic here is float32, with one rounding."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from finewright.lm.fast import native
from finewright.lm.fast.linear import write_room

BLOCK = 64
SCALE_BLOCK = 256
# Appendix E of the paper.
LEVELS = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)
_TINY = 1e-38
_CHUNK = 1 << 22  # weights handled at once in plain torch, so that its temporaries stay small


class PackedWeight(Protocol):
    """A quantised weight (d_out, d_in)."""

    @property
    def shape(self) -> tuple[int, int]:
        """d_out, d_in."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that the weight takes."""
        ...

    def unpack(self, out: Tensor) -> None:
        """Write the weight into `out`, (d_out, d_in) with contiguous rows."""
        ...


@dataclass(frozen=True, slots=True)
class Nf4Codes:
    """Codes (d_out, blocks, 32), the first of two in the high bits; 8-bit scales (d_out, blocks)."""

    codes: Tensor
    scales: Tensor
    scale_scales: Tensor
    mean: float
    width: int

    @classmethod
    def pack(cls, weight: Tensor) -> Self:
        """Quantise a weight (d_out, d_in)."""
        rows, width = weight.shape
        blocks = -(-width // BLOCK)
        codes = weight.new_empty((rows, blocks, BLOCK // 2), dtype=torch.uint8)
        magnitudes = weight.new_empty((rows, blocks), dtype=torch.float32)
        borders = _borders(tables_on(weight.device).levels)
        if native.unpacks(weight):
            native.nf4_pack(weight, borders, _TINY, codes, magnitudes)
        else:
            for part in _chunks(rows, width):
                values = F.pad(weight[part].float(), (0, blocks * BLOCK - width))
                values = values.view(-1, blocks, BLOCK)
                magnitudes[part] = values.abs().amax(-1)
                near = _nearest(values / magnitudes[part, :, None].clamp_min(_TINY), borders)
                codes[part] = near[..., ::2] << 4 | near[..., 1::2]
        scales, scale_scales, mean = _pack_scales(magnitudes)
        return cls(codes, scales, scale_scales, mean, width)

    @property
    def shape(self) -> tuple[int, int]:
        """d_out, d_in."""
        return self.codes.shape[0], self.width

    @property
    def nbytes(self) -> int:
        """Bytes that the weight takes, the mean's four included."""
        return self.codes.nbytes + self.scales.nbytes + self.scale_scales.nbytes + 4

    def unpack(self, out: Tensor) -> None:
        """Write the weight into `out`, (d_out, d_in) with contiguous rows."""
        tables = tables_on(out.device)
        if native.unpacks(out):
            own = (self.codes, self.scales, self.scale_scales, self.mean)
            native.nf4_unpack(native.Nf4Weight(*own, tables.levels, tables.dynamic), out)
            return
        scales = _unpack_scales(self.scales, self.scale_scales, self.mean)
        for part in _chunks(*self.shape):
            pairs = F.embedding(self.codes[part].int(), tables.pairs)
            values = pairs.flatten(-2) * scales[part, :, None]
            out[part] = values.flatten(-2)[:, : self.width]


@dataclass(frozen=True, slots=True)
class Int8:
    """Codes (d_out, d_in) int8, and a float32 scale for each row."""

    codes: Tensor
    scales: Tensor

    @classmethod
    def pack(cls, weight: Tensor) -> Self:
        """Quantise a weight (d_out, d_in)."""
        codes = weight.new_empty(weight.shape, dtype=torch.int8)
        scales = weight.new_empty(len(weight), dtype=torch.float32)
        if native.unpacks(weight):
            native.int8_pack(weight, _TINY, codes, scales)
            return cls(codes, scales)
        for part in _chunks(*weight.shape):
            values = weight[part].float()
            scales[part] = values.abs().amax(1) / 127
            codes[part] = (values / scales[part, None].clamp_min(_TINY)).round()
        return cls(codes, scales)

    @property
    def shape(self) -> tuple[int, int]:
        """d_out, d_in."""
        rows, width = self.codes.shape
        return rows, width

    @property
    def nbytes(self) -> int:
        """Bytes that the weight takes."""
        return self.codes.nbytes + self.scales.nbytes

    def unpack(self, out: Tensor) -> None:
        """Write the weight into `out`, (d_out, d_in) with contiguous rows."""
        if native.unpacks(out):
            native.int8_unpack(self.codes, self.scales, out)
            return
        for part in _chunks(*self.shape):
            out[part] = self.codes[part] * self.scales[part, None]


KINDS: dict[str, type[Nf4Codes | Int8]] = {"nf4": Nf4Codes, "int8": Int8}


class QuantizedWeight:
    """A frozen quantised weight; `scratch` is bytes that all such weights of a model share."""

    def __init__(self, packed: PackedWeight, scratch: Tensor, dtype: torch.dtype) -> None:
        self.packed = packed
        self.scratch = scratch
        self._dtype = dtype

    @property
    def values(self) -> Tensor:
        """The weight (d_out, d_in): good until the next weight of the model is made whole."""
        weight = _part(self.scratch, self.packed.shape, self._dtype)
        self.packed.unpack(weight)
        return weight

    def with_room(self, lora_b: Tensor, scale: float) -> "Whole":
        """The weight followed by s B, made whole when it is asked for."""
        return Whole(self.packed, lora_b, scale, self.scratch, self._dtype)


@dataclass(frozen=True, slots=True)
class Whole:
    """What makes a weight with s B in its room, (d_out, d_in + r), as often as it is needed."""

    packed: PackedWeight
    lora_b: Tensor
    scale: float
    scratch: Tensor
    dtype: torch.dtype

    def roomy(self) -> Tensor:
        """[W, s B]: good until the next weight of the model is made whole."""
        (rows, width), rank = self.packed.shape, self.lora_b.shape[1]
        weight = _part(self.scratch, (rows, width + rank), self.dtype)
        self.packed.unpack(weight[:, :width])
        write_room(weight[:, width:], self.lora_b, self.scale)
        return weight


def scratch_bytes(rows: int, columns: int, dtype: torch.dtype) -> int:
    """What the scratch must have for a weight with its room."""
    return rows * columns * dtype.itemsize


def _part(scratch: Tensor, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    return scratch[: scratch_bytes(*shape, dtype)].view(dtype).view(shape)


class Tables(NamedTuple):
    """Levels (16,), both levels of a byte (256, 2), and the dynamic map (256,)."""

    levels: Tensor
    pairs: Tensor
    dynamic: Tensor


@cache
def tables_on(device: torch.device) -> Tables:
    """What codes are read with."""
    with torch.inference_mode(False):
        levels = torch.tensor(LEVELS, device=device)
        byte = torch.arange(256, device=device)
        pairs = torch.stack((levels[byte >> 4], levels[byte & 15]), 1)
        return Tables(levels, pairs, torch.tensor(_dynamic_map(), device=device))


def _dynamic_map() -> list[float]:
    """256 numbers from -1 to 1: 2^i of each sign between 10^(i-7) and 10^(i-6) for i = 0..6, 0 and 1."""
    found = [0.0, 1.0]
    for i in range(7):
        borders = torch.linspace(0.1, 1, 2**i + 1)
        middles = (10.0 ** (i - 6) * (borders[:-1] + borders[1:]) / 2).tolist()
        found += [*middles, *(-middle for middle in middles)]
    return sorted(found)


def _pack_scales(magnitudes: Tensor) -> tuple[Tensor, Tensor, float]:
    """8-bit codes of the scales, the scales' own scales, and the mean."""
    mean = magnitudes.mean()
    flat = (magnitudes - mean).flatten()
    blocks = F.pad(flat, (0, -len(flat) % SCALE_BLOCK)).view(-1, SCALE_BLOCK)
    scale_scales = blocks.abs().amax(1)
    borders = _borders(tables_on(flat.device).dynamic)
    near = _nearest(blocks / scale_scales[:, None].clamp_min(_TINY), borders)
    return near.flatten()[: len(flat)].view_as(magnitudes), scale_scales, float(mean)


def _unpack_scales(codes: Tensor, scale_scales: Tensor, mean: float) -> Tensor:
    # In float64 the product is exact, so a kernel that fuses it with the sum finds the same number.
    flat = F.embedding(codes.flatten().int(), tables_on(codes.device).dynamic[:, None])[
        :, 0
    ].double()
    each = scale_scales.double().repeat_interleave(SCALE_BLOCK)[: len(flat)]
    return (flat * each + mean).float().view(codes.shape)


def _borders(levels: Tensor) -> Tensor:
    """Half-way between each two levels."""
    return (levels[1:] + levels[:-1]) / 2


def _nearest(values: Tensor, borders: Tensor) -> Tensor:
    """The index of the level nearest to each value, uint8; of two as near, the lower."""
    return torch.bucketize(values, borders, out_int32=True).to(torch.uint8)


def _chunks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(1, width))
    return (slice(start, start + step) for start in range(0, rows, step))
