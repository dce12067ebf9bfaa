"""The highest of each row of logits, which is all that greedy answers need of them."""

from typing import NamedTuple

import torch
from torch import Tensor

_PART = 256  # logits of which the highest is found at once


class HighestLogits(NamedTuple):
    """Of rows of logits (N, V): the highest (N,), NaN in a row that has a NaN, and the first token that has
    it (N,)."""

    values: Tensor
    tokens: Tensor


def highest_of(logits: Tensor) -> HighestLogits:
    """`logits.max(-1)` of (N, V), whose kernel on a CPU takes one number at a time: first which part of a row
    has it, by a kernel that takes sixteen, then where in that part."""
    size, width = _PART, logits.shape[-1]
    if width < size:
        return HighestLogits(*logits.max(-1))
    whole = width // size * size
    parts = logits[:, :whole].reshape(len(logits), whole // size, size).amax(-1)
    if whole < width:
        parts = torch.cat([parts, logits[:, whole:].amax(-1, keepdim=True)], 1)
    highest, part = parts.max(-1)
    start = (part * size).clamp(max=width - size)
    window = logits.gather(1, start[:, None] + torch.arange(size, device=logits.device))
    return HighestLogits(highest, start + window.argmax(-1))
