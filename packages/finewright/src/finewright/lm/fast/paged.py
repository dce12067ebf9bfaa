"""Attention to a paged cache: new tokens of many sequences lie end to end in one row, their pasts in blocks.

Each layer first writes the row's keys and values into the cache, then attends:

* Sequences with one new token are a batch: their blocks are gathered into one padded tensor, and the G query
  heads of a group are laid as G positions (see decode.py), which is one call for all of them.
* The others go the way of padding-free training (attention.py): what of their pasts is in the cache is laid
  behind the row, once for all that share it, and is the prefix of their segments.

A layer's blocks lie as (kv_heads, blocks, BLOCK, width), so that gathering copies whole blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from finewright.lm.batch import Segment
from finewright.lm.fast.attention import varlen_attention, window_mask, window_of
from finewright.lm.fast.compiled import zeros_on_demand

NAME = "finewright_paged"
BLOCK = 16
"""Tokens of a block."""


class PagedRow(NamedTuple):
    """`length` tokens of a sequence that lie at `first` in the row; `start` are in the cache already."""

    first: int
    length: int
    start: int
    blocks: Sequence[int]


@dataclass(frozen=True, slots=True)
class LayerBlocks:
    """A layer's keys and values, (kv_heads, blocks, BLOCK, width)."""

    keys: Tensor
    values: Tensor

    @property
    def block_bytes(self) -> int:
        """Bytes of a block."""
        return sum(part[:, 0].numel() * part.element_size() for part in (self.keys, self.values))

    def write(self, places: Tensor, key: Tensor, value: Tensor) -> None:
        """Key and value (1, kv_heads, T, width) at flat places (T,)."""
        for blocks, states in ((self.keys, key), (self.values, value)):
            blocks.view(len(blocks), -1, blocks.shape[-1]).index_copy_(1, places, states[0])

    def gathered(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (kv_heads, n BLOCK, width) of blocks (n,)."""
        keys, values = self.keys.index_select(1, table), self.values.index_select(1, table)
        return keys.flatten(1, 2), values.flatten(1, 2)


@dataclass(slots=True)
class PagedCache:
    """The blocks of all layers; a layer is made when it is first written to.

    Of zeros: what nothing was written to is masked, and must be a number all the same."""

    num_blocks: int
    layers: dict[int, LayerBlocks] = field(default_factory=dict)

    def layer(self, number: int, key: Tensor, value: Tensor) -> LayerBlocks:
        """The layer that keeps states of this form, (1, kv_heads, T, width)."""
        if number not in self.layers:
            self.layers[number] = LayerBlocks(self._made_for(key), self._made_for(value))
        return self.layers[number]

    def _made_for(self, x: Tensor) -> Tensor:
        shape = (x.shape[1], self.num_blocks, BLOCK, x.shape[3])
        return zeros_on_demand(shape, x.dtype) if x.device.type == "cpu" else x.new_zeros(shape)

    def copy(self, source: int, to: int) -> None:
        """Copy a block in all layers."""
        for layer in self.layers.values():
            for blocks in (layer.keys, layer.values):
                blocks[:, to] = blocks[:, source]

    @property
    def block_bytes(self) -> int:
        """Bytes of a block in all layers that were written to."""
        return sum(layer.block_bytes for layer in self.layers.values())


@dataclass(frozen=True, slots=True)
class _Past:
    """Sequences with several new tokens: `rows` of the step's row, and `segments` of these and of `table`,
    the blocks of their pasts, which are laid behind."""

    rows: Tensor
    table: Tensor
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class _Singles:
    """Sequences with one new token: `rows` (B,), `table` (B n,) padded with block 0, `ends` (B,)."""

    rows: Tensor
    table: Tensor
    ends: Tensor

    def mask(self, window: int) -> Tensor:
        """Which cached tokens are seen, (B, 1, 1, n BLOCK)."""
        length = BLOCK * len(self.table) // len(self.ends)
        place, ends = torch.arange(length, device=self.ends.device), self.ends[:, None]
        seen = place < ends
        return (seen & (place >= ends - window) if window else seen)[:, None, None]


class PagedStep:
    """Where a step's tokens go and what they see. `given` (n,) rows have learned keys and values in the place
    of the model's: `states` (2 layers, kv_heads, n, width)."""

    def __init__(
        self,
        rows: Sequence[PagedRow],
        cache: PagedCache,
        device: torch.device,
        given: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.cache, self.given = cache, given
        where = [range(row.start, row.start + row.length) for row in rows]
        self.positions = torch.tensor([[t for each in where for t in each]], device=device)
        self.places = torch.tensor([p for row in rows for p in _places(row)], device=device)
        singles = [row for row in rows if row.length == 1]
        longer = [row for row in rows if row.length > 1]
        self.singles = _singles(singles, device) if singles else None
        self.past = _past(longer, device) if longer else None
        self._masks: dict[int, Tensor] = {}

    def mask(self, window: int) -> Tensor:
        """The singles' mask, made once for all layers of a window."""
        assert self.singles is not None
        if window not in self._masks:
            self._masks[window] = self.singles.mask(window)
        return self._masks[window]


def _places(row: PagedRow) -> list[int]:
    where = range(row.start, row.start + row.length)
    return [row.blocks[t // BLOCK] * BLOCK + t % BLOCK for t in where]


def _singles(rows: Sequence[PagedRow], device: torch.device) -> _Singles:
    num = max(row.start // BLOCK for row in rows) + 1
    table = [[*row.blocks[:num], *[0] * (num - len(row.blocks))] for row in rows]
    return _Singles(
        torch.tensor([row.first for row in rows], device=device),
        torch.tensor(table, device=device).flatten(),
        torch.tensor([row.start + 1 for row in rows], device=device),
    )


def _past(rows: Sequence[PagedRow], device: torch.device) -> _Past:
    """A past that several sequences have alike is laid once."""
    total = sum(row.length for row in rows)
    starts: dict[tuple[int, ...], int] = {}
    table: list[int] = []
    segments: list[Segment] = []
    taken: list[int] = []
    for row in rows:
        past = tuple(row.blocks[: -(-row.start // BLOCK)])
        if past not in starts:
            starts[past] = total + len(table) * BLOCK
            table += past
        before = (starts[past], row.start) if row.start else (0, 0)
        segments.append(Segment(len(taken), row.length, *before))
        taken += range(row.first, row.first + row.length)
    return _Past(
        torch.tensor(taken, device=device),
        torch.tensor(table, dtype=torch.long, device=device),
        tuple(segments),
    )


def run(model: PreTrainedModel, given: Tensor, step: PagedStep) -> Tensor:
    """Last hidden states (T, d) of a step's tokens, ids (1, T) or embeddings (1, T, d).

    The model's attention must be this one."""
    name = "inputs_embeds" if given.is_floating_point() else "input_ids"
    places = {"position_ids": step.positions, "use_cache": False, "paged": step}
    states: Tensor = model.base_model(**{name: given}, **places).last_hidden_state[0]
    return states


def paged_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,  # what `window_mask` gives
    **options: Any,
) -> tuple[Tensor, None]:
    """query (1, heads, T, d), key and value (1, kv_heads, T, width) -> (1, T, heads, width).

    `options["paged"]` is the step, which transformers hands through from the call of the model."""
    step: PagedStep = options["paged"]
    layer: int = module.layer_idx  # type: ignore[assignment]
    if step.given is not None:
        places, states = step.given
        key = key.index_copy(2, places, states[None, 2 * layer])
        value = value.index_copy(2, places, states[None, 2 * layer + 1])
    blocks = step.cache.layer(layer, key, value)
    blocks.write(step.places, key, value)
    if step.singles is None:
        assert step.past is not None
        return _attend_longer(
            module, step.past, blocks, (query, key, value), (attention_mask, options)
        )
    if step.past is None:
        return _attend_singles(step, blocks, query, (attention_mask, options))[None], None
    out = query.new_empty(query.shape[2], query.shape[1], value.shape[-1])
    rows, past = step.singles.rows, step.past
    out[rows] = _attend_singles(step, blocks, query[:, :, rows], (attention_mask, options))
    parts = tuple(states[:, :, past.rows] for states in (query, key, value))
    out[past.rows] = _attend_longer(module, past, blocks, parts, (attention_mask, options))[0][0]
    return out[None], None


def _attend_longer(
    module: nn.Module,
    past: _Past,
    blocks: LayerBlocks,
    new: Sequence[Tensor],
    given: tuple[Any, Mapping[str, Any]],
) -> tuple[Tensor, None]:
    mask, options = given
    query, key, value = new
    if len(past.table):
        keys, values = blocks.gathered(past.table)
        key, value = torch.cat((key, keys[None]), 2), torch.cat((value, values[None]), 2)
        query = F.pad(query, (0, 0, 0, keys.shape[1]))
    out, _ = varlen_attention(
        module, query, key, value, mask, **{**options, "segments": past.segments}
    )
    return out[:, : new[0].shape[2]], None


def _attend_singles(
    step: PagedStep, blocks: LayerBlocks, query: Tensor, given: tuple[Any, Mapping[str, Any]]
) -> Tensor:
    """query (1, heads, B, d) -> (B, heads, width)."""
    mask, options = given
    singles = step.singles
    assert singles is not None
    batch, heads = query.shape[2], query.shape[1]
    keys, values = (
        states.view(len(states), batch, -1, states.shape[-1]).transpose(0, 1)
        for states in blocks.gathered(singles.table)
    )
    seen = step.mask(window_of(mask, options))
    grouped = query[0].transpose(0, 1).reshape(batch, keys.shape[1], -1, query.shape[-1])
    scale = float(options.get("scaling") or query.shape[-1] ** -0.5)
    if cap := options.get("softcap"):
        logits = torch.tanh(grouped @ keys.transpose(2, 3) * scale / cap) * cap
        weights = logits.masked_fill(~seen, float("-inf")).softmax(-1, dtype=torch.float32)
        found: Tensor = weights.to(values.dtype) @ values
        return found.reshape(batch, heads, -1)
    out = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=seen, scale=scale)
    return out.reshape(batch, heads, -1)


AttentionInterface.register(NAME, paged_attention)
AttentionMaskInterface.register(NAME, window_mask)
