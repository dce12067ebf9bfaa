"""Decoding with a cache that has room, and attention that reads it in place.

One new token per row meets n cached ones. Two things cost more than the arithmetic:

* A cache that grows by concatenation copies itself at every step, n rows a layer. `RoomyLayer` takes room
  ahead and writes into it: the same numbers, no copy but when the room is used up.
* With grouped queries (G query heads to a key head) the keys and values are repeated G times before
  `scaled_dot_product_attention`. A single query position needs none of that: the G heads of a group are
  laid as G positions, (B, H, 1, d) -> (B, KV, G, d), since no causal order exists among them.

Memory: the cache itself and at most half as much room, instead of the cache twice and its G-fold copy."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "finewright_decode"
_LEAST_ROOM = 64


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer that grows into room taken ahead; keys and values are views of it."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append states (B, KV, n, d) and return all of them."""
        if not self.is_initialized:
            self.room: tuple[Tensor, Tensor] | None = None
            filled: tuple[Tensor, Tensor] = super().update(key_states, value_states)
            return filled
        used = self.get_seq_length()
        total = used + key_states.shape[-2]
        if self.room is None or not self._has_room(self.room[0], total):
            self.room = _with_room(self.keys, total), _with_room(self.values, total)
        keys, values = self.room
        keys[..., used:total, :] = key_states
        values[..., used:total, :] = value_states
        self.keys: Tensor = keys[..., :total, :]
        self.values: Tensor = values[..., :total, :]
        return self.keys, self.values

    def _has_room(self, room: Tensor, total: int) -> bool:
        # Dropping rows replaces the keys by a copy, which is no longer a view of the room.
        return room.data_ptr() == self.keys.data_ptr() and room.shape[-2] >= total


def _with_room(states: Tensor, total: int) -> Tensor:
    room = states.new_empty(
        (*states.shape[:-2], total + max(_LEAST_ROOM, total // 2), states.shape[-1])
    )
    room[..., : states.shape[-2], :] = states
    return room


def roomy_cache(model: PreTrainedModel) -> DynamicCache:
    """The model's cache with room in its plain layers; sliding-window layers stay as they are."""
    cache = DynamicCache(config=model.config)
    cache.layers = [
        RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def decode_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention of new tokens to all cached ones: query (B, H, n, d) -> (B, n, H, d_v).

    One new token takes the grouped form; more (the prompt) go the way transformers takes them."""
    heads, kv_heads = query.shape[1], key.shape[1]
    if query.shape[2] != 1 or heads == kv_heads or options.get("softcap"):
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output, None
    batch, _, _, width = query.shape
    grouped = query.view(batch, kv_heads, heads // kv_heads, width)
    output = F.scaled_dot_product_attention(
        grouped, key, value, attn_mask=attention_mask, scale=options.get("scaling")
    )
    return output.reshape(batch, 1, heads, -1), None


def implementation(model: PreTrainedModel) -> str:
    """The attention to decode with: this one where the model would use plain SDPA, else its own."""
    own: str = model.config._attn_implementation
    return NAME if own == "sdpa" else own


AttentionInterface.register(NAME, decode_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
