"""Blocks of 256 weights in 4.5 and 6.6 bits each, as llama.cpp keeps them: Q4_K and Q6_K.

Layouts and the search for scales follow ggml-quants.c (`quantize_row_q4_K_ref`, `quantize_row_q6_K_ref`):
of several roundings of a sub-block the one of the least weighted squared error, with its best scale by
least squares. The gguf package reads these blocks and does not write them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_BLOCK = 256
_ROWS_AT_ONCE = 4096
"""Blocks: the search holds a few dozen arrays of as many."""


def q4_k(values: Array) -> Bytes:
    """(..., n) with n a multiple of 256 -> (..., n / 256 * 144) bytes."""
    return _by_blocks(values, _q4_k_blocks, 144)


def q6_k(values: Array) -> Bytes:
    """(..., n) with n a multiple of 256 -> (..., n / 256 * 210) bytes."""
    return _by_blocks(values, _q6_k_blocks, 210)


def _by_blocks(values: Array, pack, size: int) -> Bytes:  # type: ignore[no-untyped-def]
    blocks = np.ascontiguousarray(values, np.float32).reshape(-1, _BLOCK)
    parts = [
        pack(blocks[start : start + _ROWS_AT_ONCE])
        for start in range(0, len(blocks), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts).reshape(*values.shape[:-1], values.shape[-1] // _BLOCK * size)


class _Affine(NamedTuple):
    """Of each sub-block: x = scale * code - low."""

    scale: Array
    low: Array


def _q4_k_blocks(blocks: Array) -> Bytes:
    x = blocks.reshape(-1, 8, 32)
    fit = _affine(x)
    d = _half(fit.scale.max(1, keepdims=True) / np.float32(63))
    dmin = _half(fit.low.max(1, keepdims=True) / np.float32(63))
    scales = np.clip(np.rint(_over(fit.scale, d)), 0, 63).astype(np.uint8)
    lows = np.clip(np.rint(_over(fit.low, dmin)), 0, 63).astype(np.uint8)
    step, low = (d * scales)[..., None], (dmin * lows)[..., None]
    codes = np.clip(np.rint(_over(x + low, step)), 0, 15).astype(np.uint8).reshape(-1, 4, 2, 32)
    packed = np.concatenate(
        [
            scales[:, :4] | (scales[:, 4:] >> 4) << 6,
            lows[:, :4] | (lows[:, 4:] >> 4) << 6,
            (scales[:, 4:] & 15) | (lows[:, 4:] & 15) << 4,
        ],
        axis=1,
    )
    halves = np.concatenate([_bytes_of(d), _bytes_of(dmin)], axis=1)
    return np.concatenate(
        [halves, packed, (codes[:, :, 0] | codes[:, :, 1] << 4).reshape(-1, 128)], axis=1
    )


def _affine(x: Array) -> _Affine:
    """Scale and low of each sub-block (..., 32) in 4 bits."""
    weights = np.abs(x) + np.sqrt((x * x).mean(-1, keepdims=True))
    low = np.minimum(x.min(-1, keepdims=True), 0)
    span = x.max(-1, keepdims=True) - low
    scale, floor = span / np.float32(15), low
    codes = np.clip(np.rint(_over(x - low, scale)), 0, 15)
    best = (weights * (scale * codes + floor - x) ** 2).sum(-1, keepdims=True)
    sums = (weights.sum(-1, keepdims=True), (weights * x).sum(-1, keepdims=True))
    for tried in range(-1, 21):
        levels = 15.0 if tried < 0 else 14.0 + 0.1 * tried
        codes = np.clip(np.rint(_over(x - low, span) * np.float32(levels)), 0, 15)
        step, least = _least_squares(codes, x, weights, sums)
        error = (weights * (step * codes + least - x) ** 2).sum(-1, keepdims=True)
        better = error < best
        best = np.where(better, error, best)
        scale, floor = np.where(better, step, scale), np.where(better, least, floor)
    return _Affine(scale[..., 0], -floor[..., 0])


def _least_squares(
    codes: Array, x: Array, weights: Array, sums: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The step and the floor, at most 0, for which step * codes + floor is nearest to x."""
    total, total_x = sums
    with_codes = weights * codes
    first = with_codes.sum(-1, keepdims=True)
    second = (with_codes * codes).sum(-1, keepdims=True)
    cross = (with_codes * x).sum(-1, keepdims=True)
    determinant = total * second - first * first
    step = _over(total * cross - total_x * first, determinant)
    floor = _over(second * total_x - first * cross, determinant)
    alone = _over(cross, second)
    return np.where(floor > 0, alone, step), np.minimum(floor, 0)


def _q6_k_blocks(blocks: Array) -> Bytes:
    x = blocks.reshape(-1, 16, 16)
    scale = _symmetric(x)
    largest = np.take_along_axis(scale, np.abs(scale).argmax(1, keepdims=True), 1)
    d = _half(-largest / np.float32(128))
    scales = np.clip(np.rint(_over(scale, d)), -128, 127).astype(np.int8)
    step = (d * scales)[..., None]
    codes = (np.clip(np.rint(_over(x, step)), -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low, high = codes & 15, codes >> 4
    fours = np.stack([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], 2)
    twos = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    return np.concatenate(
        [fours.reshape(-1, 128), twos.reshape(-1, 64), scales.view(np.uint8), _bytes_of(d)], axis=1
    )


def _symmetric(x: Array) -> Array:
    """The scale of each sub-block (..., 16) in codes of -32 to 31."""
    at = np.abs(x).argmax(-1, keepdims=True)
    largest = np.take_along_axis(x, at, -1)
    weights = x * x
    best = np.full(largest.shape, -1.0, np.float32)
    scale = np.zeros_like(largest)
    for tried in range(-9, 10):
        inverse = _over(np.float32(-(32 + 0.1 * tried)), largest)
        codes = np.clip(np.rint(inverse * x), -32, 31)
        cross = (weights * x * codes).sum(-1, keepdims=True)
        second = (weights * codes * codes).sum(-1, keepdims=True)
        gain = _over(cross * cross, second)  # what of the weighted square is explained
        better = gain > best
        best = np.where(better, gain, best)
        scale = np.where(better, _over(cross, second), scale)
    return scale[..., 0]


def _over(numerator: Array | np.float32, denominator: Array) -> Array:
    """The quotient, and 0 where nothing is divided by."""
    shape = np.broadcast_shapes(np.shape(numerator), denominator.shape)
    zero = np.zeros(shape, np.float32)
    return np.divide(
        numerator, denominator, out=zero, where=np.broadcast_to(denominator != 0, shape)
    )


def _half(values: Array) -> Array:
    """As it is stored, in 16 bits."""
    return values.astype(np.float16).astype(np.float32)


def _bytes_of(values: Array) -> Bytes:
    return values.astype(np.float16).view(np.uint8).reshape(len(values), 2)
