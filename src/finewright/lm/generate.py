"""Answers from a model: many at once for measuring, one token at a time for talking.

Prompts are left-padded into one batch; each step feeds one token per unfinished row. Rows that have
ended leave the batch (and the key-value cache) once they are a quarter of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from finewright.lm.fast import attention, decode


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0 is greedy; otherwise nucleus sampling with a seed."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


class Generation(NamedTuple):
    """New tokens without the stop token, and whether the model ended by itself."""

    ids: tuple[int, ...]
    stopped: bool


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
) -> list[Generation]:
    """One answer per prompt, in order."""
    new: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    for row, token in _decode(model, prompts, stop_ids=stop_ids, sampling=sampling):
        if token in stop_ids:
            stopped[row] = True
        else:
            new[row].append(token)
    return [Generation(tuple(ids), end) for ids, end in zip(new, stopped, strict=True)]


@torch.inference_mode()
def stream(
    model: PreTrainedModel, prompt: Sequence[int], *, stop_ids: frozenset[int], sampling: Sampling
) -> Iterator[int]:
    """The answer's tokens as they come; a stop token ends it and is not yielded."""
    for _, token in _decode(model, [prompt], stop_ids=stop_ids, sampling=sampling):
        if token in stop_ids:
            return
        yield token


def _decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
) -> Iterator[tuple[int, int]]:
    """(row, token) for every new token, stop tokens included."""
    with attention.using(model, decode.implementation(model)):
        yield from _steps(model, prompts, stop_ids=stop_ids, sampling=sampling)


def _steps(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
) -> Iterator[tuple[int, int]]:
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(sampling.seed)
    cache = decode.roomy_cache(model)
    ids, mask = _left_padded(prompts, device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    alive = list(range(len(prompts)))
    finished: set[int] = set()
    for step in range(sampling.max_new_tokens):
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        tokens = _choose(logits.float(), sampling, generator)
        for row, token in zip(alive, tokens.tolist(), strict=True):
            if row not in finished:
                yield row, token
                if token in stop_ids:
                    finished.add(row)
        if len(finished) == len(prompts) or step + 1 == sampling.max_new_tokens:
            return
        positions = positions[:, -1:] + 1
        mask = torch.cat((mask, mask.new_ones(len(alive), 1)), 1)
        ids = tokens[:, None]
        ended = sum(row in finished for row in alive)
        if 4 * ended >= len(alive):
            keep = [i for i, row in enumerate(alive) if row not in finished]
            index = torch.tensor(keep, device=device)
            cache.reorder_cache(index)
            ids, mask, positions = ids[index], mask[index], positions[index]
            alive = [alive[i] for i in keep]


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask (B, longest); pads are token 0, masked out."""
    longest = max(map(len, prompts))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """The next token of each row; logits (B, V) -> (B,)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    p = (logits / sampling.temperature).softmax(-1)
    ordered, order = p.sort(-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= sampling.top_p
    picked = torch.multinomial(ordered.masked_fill(outside, 0.0), 1, generator=generator)
    return order.gather(-1, picked).squeeze(-1)
