"""Prompt tuning (Lester et al. 2021, arXiv:2104.08691): the virtual tokens' embeddings are learned.

They take the place of what the embedding gives, so a family that scales its embeddings does not scale
them: PEFT's way. First values are embeddings of words: random ones, or a text's, as often as it takes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from finewright.lm.adapters.virtual import VirtualRow, VirtualTokens, random_words
from finewright.schema.adapter import PromptSpec


class SoftPrompt(VirtualTokens):
    """`learned` (n, d), float32."""

    def __init__(self, first: Tensor) -> None:
        super().__init__()
        self.learned = nn.Parameter(first)

    def inputs(
        self, model: PreTrainedModel, row: VirtualRow, cache: DynamicCache | None = None
    ) -> dict[str, Any]:
        """Embeddings (1, T', d), the virtual tokens' among them."""
        words = model.get_input_embeddings()(row.input_ids)
        copies = len(row.virtual) // self.count
        own = self.learned.to(words.dtype).repeat(copies, 1)
        found: dict[str, Any] = {"inputs_embeds": words.index_copy(1, row.virtual, own[None])}
        return found if cache is None else {**found, "past_key_values": cache}


@torch.no_grad()
def add_prompt(
    model: PreTrainedModel,
    spec: PromptSpec,
    *,
    seed: int,
    device: torch.device | None = None,
    text_ids: Sequence[int] = (),
) -> SoftPrompt:
    """A soft prompt for the model, which is frozen. `text_ids` are the first values' words, when given."""
    model.requires_grad_(False)
    if device is not None:
        model.to(device)
    embedding, count = model.get_input_embeddings(), spec.num_virtual_tokens
    if text_ids:
        ids = torch.tensor((tuple(text_ids) * count)[:count], device=embedding.weight.device)
    else:
        ids = random_words(model, count, seed)
    return SoftPrompt(embedding(ids).float())
