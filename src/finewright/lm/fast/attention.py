"""Padding-free attention: sequences lie end to end in one row and never see each other.

A batch of B sequences of lengths n_1..n_B is one row of T = sum n_i tokens, so no pad token is
ever multiplied. Attention runs per sequence, each a plain causal `scaled_dot_product_attention`,
which takes the flash kernel because it carries no mask tensor:

    out[s_i : s_i + n_i] = softmax(mask(q k^T * scale)) v      within [s_i, s_i + n_i)

Memory: no T x T mask, and no B x max(n_i) padding of any activation. Sliding windows get a band mask
only for sequences longer than the window; logit soft-capping takes the explicit formula.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

NAME = "finewright_varlen"


def varlen_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention per sequence. query (1, heads, T, d); key, value (1, kv_heads, T, d) -> (1, T, heads, d_v).

    `options["sequence_lengths"]` lists the lengths; transformers hands it through from the call of the
    model. Without it the row is one sequence."""
    lengths = list(options.get("sequence_lengths") or (query.shape[2],))
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    window, softcap = options.get("sliding_window"), options.get("softcap")
    dropout = float(options.get("dropout", 0.0))
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    parts = []
    for q, k, v in zip(*(torch.split(x, lengths, 2) for x in (query, key, value)), strict=True):
        band = _band(q, window) if window and q.shape[2] > window else None
        if softcap:
            parts.append(_softcapped(q, k, v, scale=scale, softcap=softcap, band=band))
        else:
            parts.append(
                F.scaled_dot_product_attention(
                    q, k, v, attn_mask=band, dropout_p=dropout, is_causal=band is None, scale=scale
                )
            )
    return torch.cat(parts, 2).transpose(1, 2), None


def _band(q: Tensor, window: int | None) -> Tensor:
    """True where row i may see column j: j <= i and, with a window, j > i - window. Shape (n, n)."""
    i = torch.arange(q.shape[2], device=q.device)
    distance = i[:, None] - i[None]
    seen = distance >= 0
    return seen & (distance < window) if window else seen


def _softcapped(
    q: Tensor, k: Tensor, v: Tensor, *, scale: float, softcap: float, band: Tensor | None
) -> Tensor:
    """Gemma 2's attention: logits pass through softcap * tanh(logits / softcap) before the mask."""
    logits = torch.matmul(q, k.transpose(2, 3)) * scale
    logits = torch.tanh(logits / softcap) * softcap
    seen = band if band is not None else _band(q, None)
    weights = logits.masked_fill(~seen, float("-inf")).softmax(-1, dtype=torch.float32)
    return torch.matmul(weights.to(q.dtype), v)


def _no_mask(*_: Any, **__: Any) -> None:
    """The sequence lengths say who sees whom; there is no mask tensor to build."""


@contextmanager
def using(model: PreTrainedModel, name: str) -> Iterator[None]:
    """The model with the attention of that name, and afterwards with its own again."""
    before = model.config._attn_implementation
    if before == name:
        yield
        return
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


AttentionInterface.register(NAME, varlen_attention)
AttentionMaskInterface.register(NAME, _no_mask)
