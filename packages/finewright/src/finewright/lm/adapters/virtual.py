"""Virtual tokens: learned ones before each row, at positions 0..n-1, with the row's own after them.

A packed row is laid out anew for the forward, and the batch that a method holds knows nothing of it: so
sources, targets and what the base model is asked stay as they are. Where rows stand alone, one copy of the
virtual tokens serves them all, as a prefix that several completions share is there once; a shared prompt
keeps its own copy before it.

Shape legend: n virtual tokens, T tokens, T' with the virtual ones laid between, m = copies x n of these."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from finewright.lm.adapters.part import AdapterPart
from finewright.lm.batch import Segment


class VirtualRow(NamedTuple):
    """A packed row with virtual tokens: `input_ids` and `position_ids` (1, T'), and its segments.

    `real` (T,) says where each token of the batch lies, `virtual` (m,) where the virtual ones do; there
    the ids are zero."""

    input_ids: Tensor
    position_ids: Tensor
    segments: tuple[Segment, ...]
    real: Tensor
    virtual: Tensor


class VirtualTokens(AdapterPart):
    """An adapter that stands before each row."""

    learned: nn.Parameter  # (n, ...)

    @property
    def count(self) -> int:
        """n."""
        return int(self.learned.shape[0])

    def tensors(self) -> dict[str, Tensor]:
        """What is trained, under PEFT's name."""
        return {"prompt_embeddings": self.learned.detach()}

    def inputs(
        self, model: PreTrainedModel, row: VirtualRow, cache: DynamicCache | None = None
    ) -> dict[str, Any]:
        """What the model's forward is given for the row's tokens; `cache` takes up keys and values."""
        raise NotImplementedError


def random_words(model: PreTrainedModel, count: int, seed: int) -> Tensor:
    """As many ids of the vocabulary, the same for a seed."""
    embedding = model.get_input_embeddings()
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(embedding.num_embeddings, (count,), generator=generator)
    return ids.to(embedding.weight.device)


def lay_out(
    input_ids: Tensor, position_ids: Tensor, segments: Sequence[Segment], count: int
) -> VirtualRow:
    """The row (1, T) with `count` virtual tokens before each of its sequences."""
    if not count:
        every = torch.arange(input_ids.shape[1], device=input_ids.device)
        return VirtualRow(input_ids, position_ids, tuple(segments), every, every[:0])
    layout = _layout(tuple(segments), count, input_ids.device)
    total = len(layout.real) + len(layout.virtual)
    ids, positions = input_ids.new_zeros(1, total), position_ids.new_zeros(1, total)
    ids[0, layout.real] = input_ids[0]
    positions[0, layout.real] = position_ids[0] + count
    positions[0, layout.virtual] = layout.virtual_positions
    return VirtualRow(ids, positions, layout.segments, layout.real, layout.virtual)


class _Layout(NamedTuple):
    segments: tuple[Segment, ...]
    real: Tensor
    virtual: Tensor
    virtual_positions: Tensor


@lru_cache(maxsize=4)  # a batch is asked for several times
def _layout(segments: tuple[Segment, ...], count: int, device: torch.device) -> _Layout:
    shared = {segment.prefix_start for segment in segments if segment.prefix_length}
    alone = any(not s.prefix_length and s.start not in shared for s in segments)
    laid = [Segment(0, count)] if alone else []
    starts = [0] if alone else []  # of the copies
    real: list[int] = []
    moved: dict[int, int] = {}
    end = count * alone
    for start, length, before, before_length in segments:
        own = count if start in shared and not before_length else 0
        if own:
            starts.append(end)
            moved[start] = end
            laid.append(Segment(end, own + length))
        elif before_length:
            laid.append(Segment(end, length, moved[before], count + before_length))
        else:
            laid.append(Segment(end, length, 0, count))
        real += range(end + own, end + own + length)
        end += own + length
    return _on_device(laid, real, starts, count, device)


def _on_device(
    laid: list[Segment], real: list[int], starts: list[int], count: int, device: torch.device
) -> _Layout:
    # generation may ask first, and training would take its tensors
    with torch.inference_mode(False):
        each = torch.arange(count, device=device)
        virtual = (torch.tensor(starts, device=device)[:, None] + each).flatten()
        positions = each.repeat(len(starts))
        return _Layout(tuple(laid), torch.tensor(real, device=device), virtual, positions)
