"""Torch's own FlashAttention for segments on a GPU: one kernel over all sequences of a packed row.

The kernel takes sequences end to end with their borders, and aligns the causal triangle to the last key:
so a segment with a prefix is a sequence whose keys are the prefix's followed by its own, gathered once
(the layout is made once a batch and cached), and its queries are its own only. Grouped heads and sliding
windows are the kernel's. It needs half precision, heads of at most 256, keys and values of one width."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from inspect import signature
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from finewright.lm.batch import Segment
from finewright.lm.fast.native import AttentionHeads

_WIDEST = 256
_AMPERE = 8
_NEEDED = ("window_size", "enable_gqa", "scale")


def takes(heads: AttentionHeads) -> bool:
    """Can the kernel take these heads, on this GPU and in this torch?"""
    query, _, value = heads[:3]
    return (
        query.is_cuda
        and query.dtype in {torch.bfloat16, torch.float16}
        and query.shape[2] == value.shape[2] <= _WIDEST
        and query.shape[2] % 8 == 0
        and torch.cuda.get_device_capability(query.device)[0] >= _AMPERE
        and _kernel() is not None
    )


def attend(heads: AttentionHeads, segments: tuple[Segment, ...]) -> Tensor:
    """(T, heads, D) for queries, keys and values (T, heads, D)."""
    kernel = _kernel()
    assert kernel is not None
    query, key, value = (part.contiguous() for part in heads[:3])
    layout = layout_of(segments, query.device)
    if layout.keys is not None:
        key, value = key[layout.keys], value[layout.keys]
    out: Tensor = kernel(
        query,
        key,
        value,
        layout.query_borders,
        layout.key_borders,
        layout.longest_query,
        layout.longest_keys,
        scale=heads.scale,
        window_size=(heads.window - 1, 0),  # a window counts the token itself; -1 is none
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out


class Layout(NamedTuple):
    """Borders (B + 1,) int32 of queries and keys, the longest of each, and which keys are gathered."""

    query_borders: Tensor
    key_borders: Tensor
    longest_query: int
    longest_keys: int
    keys: Tensor | None


@lru_cache(maxsize=4)  # every layer of a forward and its backward asks for the same
def layout_of(segments: tuple[Segment, ...], device: torch.device) -> Layout:
    """The layout of a packed row."""
    queries = [segment.length for segment in segments]
    keys = [segment.prefix_length + segment.length for segment in segments]
    shared = any(segment.prefix_length for segment in segments)
    index = torch.tensor(_numbers(segments), device=device) if shared else None
    borders = _borders(queries, device), _borders(keys, device)
    return Layout(*borders, max(queries), max(keys), index)


def _borders(lengths: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)


def _numbers(segments: Sequence[Segment]) -> list[int]:
    """The tokens that each segment sees, one segment after the other."""
    numbers: list[int] = []
    for start, length, before, count in segments:
        numbers += [*range(before, before + count), *range(start, start + length)]
    return numbers


@cache
def _kernel() -> Callable[..., Any] | None:
    """torch's kernel, when this torch has it in the form that is used here."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    kernel: Callable[..., Any] = varlen_attn
    return kernel if signature(kernel).parameters.keys() >= set(_NEEDED) else None
