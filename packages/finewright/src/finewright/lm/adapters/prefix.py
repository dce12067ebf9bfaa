"""Prefix tuning (Li & Liang 2021, arXiv:2101.00190): the virtual tokens' keys and values are learned.

Each layer's keys (after rotation, so they are used as they are learned) and values of the n virtual tokens
are what is trained, without the paper's reparametrisation. The virtual tokens run through the model as
placeholders, whose own keys and values a cache object replaces before any token sees them; so positions,
windows, packing and recomputing are those of any other token, and what the placeholders compute reaches
nothing. They cost n tokens of a batch.

First values are the keys and values of random words: the paper's section 7.4, where real words'
activations train best. PEFT draws normal numbers, which a model cannot read (SmolLM2 135M on plain text, 20
tokens of prefix: 13.7 nats a token at the start, against 3.7; 2.5 without a prefix).

Stored is PEFT's (n, 2 x layers x kv_heads x head_dim): of each layer its keys, then its values."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from finewright.errors import ModelError
from finewright.lm.adapters.virtual import VirtualRow, VirtualTokens, random_words
from finewright.schema.adapter import PrefixSpec


class PrefixShape(NamedTuple):
    """How many layers a model has, and the keys and values of each."""

    layers: int
    kv_heads: int
    head_dim: int

    @property
    def width(self) -> int:
        """Numbers that a virtual token has in all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim


class Prefix(VirtualTokens):
    """`learned` (n, 2 layers kv_heads head_dim), float32."""

    def __init__(self, first: Tensor, heads: PrefixShape) -> None:
        super().__init__()
        self.learned = nn.Parameter(first)
        self.heads = heads

    def inputs(
        self, model: PreTrainedModel, row: VirtualRow, cache: DynamicCache | None = None
    ) -> dict[str, Any]:
        """Ids with placeholders, and a cache that gives them their keys and values."""
        copies = len(row.virtual) // self.count
        states = self.learned.to(model.dtype).view(self.count, -1, *self.heads[1:])
        states = states.permute(1, 2, 0, 3).repeat(1, 1, copies, 1)  # (2 layers, KV, m, head_dim)
        given = DynamicCache()
        given.layers = [
            _Given(states[2 * i : 2 * i + 2], row.virtual, cache and cache.layers[i])
            for i in range(self.heads.layers)
        ]
        return {"input_ids": row.input_ids, "past_key_values": given, "use_cache": True}


class _Given(DynamicLayer):  # type: ignore[misc]
    """A cache layer of a packed row that replaces keys and values, and keeps nothing."""

    def __init__(self, states: Tensor, places: Tensor, onward: DynamicLayer | None) -> None:
        super().__init__()
        self.states, self.places, self.onward = states, places, onward

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """States (1, KV, T', d) with the learned ones at their places; a cache beyond takes them up."""
        keys, values = (
            own.index_copy(2, self.places, learned[None])
            for own, learned in zip((key_states, value_states), self.states, strict=True)
        )
        if self.onward is not None:
            self.onward.update(keys, values)
        return keys, values


def add_prefix(
    model: PreTrainedModel, spec: PrefixSpec, *, seed: int, device: torch.device | None = None
) -> Prefix:
    """A prefix for the model, which is frozen; it starts as what the model makes of random words.

    Raises ModelError for a family whose layers' keys and values are not heads of one shape."""
    heads = heads_of(model.config.get_text_config(), type(model).__name__)
    model.requires_grad_(False)
    if device is not None:
        model.to(device)
    words = random_words(model, spec.num_virtual_tokens, seed)
    return Prefix(_states_of(model, words, heads), heads)


@torch.no_grad()
def _states_of(model: PreTrainedModel, ids: Tensor, heads: PrefixShape) -> Tensor:
    """The keys and values of a text (n,), as they are stored, float32."""
    cache, training = DynamicCache(), model.training
    model.eval()
    model.base_model(input_ids=ids[None], past_key_values=cache, use_cache=True)
    model.train(training)
    states = [part[0] for layer in cache.layers for part in (layer.keys, layer.values)]
    wanted = (heads.kv_heads, len(ids), heads.head_dim)
    if len(states) != 2 * heads.layers or any(part.shape != wanted for part in states):
        raise _refuse(type(model).__name__, "its layers' keys and values are of other shapes")
    return torch.stack(states).permute(2, 0, 1, 3).flatten(1).float()


def heads_of(config: PreTrainedConfig, family: str) -> PrefixShape:
    """The keys and values of a family whose layers all have the same. Raises ModelError for others."""
    if getattr(config, "kv_lora_rank", None):
        raise _refuse(family, "its layers keep a latent in the place of keys and values (MLA)")
    kinds = set(getattr(config, "layer_types", None) or ())
    if odd := sorted(kinds - {"full_attention", "sliding_attention"}):
        raise _refuse(family, f"it has layers of {odd[0]}, which take no keys and values")
    if getattr(config, "num_kv_shared_layers", 0) or getattr(config, "is_heterogeneous", False):
        raise _refuse(family, "its layers' keys and values differ in shape, or are shared")
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return PrefixShape(config.num_hidden_layers, kv_heads, width)


def _refuse(family: str, reason: str) -> ModelError:
    return ModelError(
        f"{family}: prefix tuning is not possible, because {reason}",
        hint="take prompt tuning (train.adapter.type: prompt) or LoRA",
    )
