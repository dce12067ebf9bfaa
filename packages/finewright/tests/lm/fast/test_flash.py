"""The layout that torch's GPU kernel is given, by a stand-in that computes what the kernel documents."""

import pytest
import torch
from torch import Tensor

from finewright.lm.batch import Segment
from finewright.lm.fast import flash
from finewright.lm.fast.attention import varlen_attention
from referee import assert_close, drawn

pytestmark = pytest.mark.torch


def documented(  # noqa: PLR0917 - as torch has it
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float,
    window_size: tuple[int, int],
    enable_gqa: bool,
) -> Tensor:
    """torch.nn.attention.varlen.varlen_attn by its documentation: the triangle ends at the last key."""
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
    assert enable_gqa == (query.shape[1] != key.shape[1])
    groups = query.shape[1] // key.shape[1]
    parts = []
    lengths = cu_seq_q.diff().tolist(), cu_seq_k.diff().tolist()
    assert (max(lengths[0]), max(lengths[1])) == (max_q, max_k)
    for q, k, v in zip(
        query.split(lengths[0]), key.split(lengths[1]), value.split(lengths[1]), strict=True
    ):
        logits = torch.einsum("qhd,khd->hqk", q, k.repeat_interleave(groups, 1)) * scale
        behind = torch.arange(len(q))[:, None] + len(k) - len(q) - torch.arange(len(k))
        left, right = window_size
        seen = (behind >= -right) & ((left < 0) | (behind <= left))
        weights = logits.masked_fill(~seen, float("-inf")).softmax(-1)
        parts.append(torch.einsum("hqk,khd->qhd", weights, v.repeat_interleave(groups, 1)))
    return torch.cat(parts)


@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize("kv_heads", [1, 4])
@pytest.mark.parametrize(
    "segments",
    [
        (Segment(0, 9),),
        (Segment(0, 3), Segment(3, 5), Segment(8, 1)),
        (Segment(0, 4), Segment(4, 2, 0, 4), Segment(6, 3, 0, 4), Segment(9, 5)),
    ],
)
def test_the_kernel_is_asked_for_what_plain_attention_computes(
    segments: tuple[Segment, ...], kv_heads: int, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = sum(segment.length for segment in segments)
    parts = [drawn(1, heads, tokens, 16, seed=heads) for heads in (4, kv_heads, kv_heads)]
    module = torch.nn.Module()
    options = {"segments": segments, "sliding_window": window, "scaling": 0.3}
    wanted, _ = varlen_attention(module, *parts, None, **options)
    monkeypatch.setattr(flash, "takes", lambda heads: True)
    monkeypatch.setattr(flash, "_kernel", lambda: documented)
    found, _ = varlen_attention(module, *parts, None, **options)
    assert_close(found, wanted)


def test_this_torch_has_the_kernel_with_the_arguments_used() -> None:
    assert flash._kernel() is not None


def test_on_a_cpu_it_is_not_used() -> None:
    heads = flash.AttentionHeads(*drawn(3, 5, 2, 16, seed=0).bfloat16(), 1.0, 0)
    assert not flash.takes(heads)
