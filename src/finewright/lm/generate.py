"""Answers from a model: many at once for measuring, one token at a time for talking.

Prompts run packed where the model packs exactly, left-padded where not; then each step feeds one token
per unfinished row. Rows that have ended leave the batch (and the key-value cache) once they are a quarter
of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from finewright.lm.batch import Encoded, pack
from finewright.lm.fast import attention, decode, prefill
from finewright.lm.model import LM


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
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
) -> list[Generation]:
    """One answer per prompt, in order."""
    new: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    for row, token in _decode(lm, prompts, stop_ids=stop_ids, sampling=sampling):
        if token in stop_ids:
            stopped[row] = True
        else:
            new[row].append(token)
    return [Generation(tuple(ids), end) for ids, end in zip(new, stopped, strict=True)]


@torch.inference_mode()
def stream(
    lm: LM, prompt: Sequence[int], *, stop_ids: frozenset[int], sampling: Sampling
) -> Iterator[int]:
    """The answer's tokens as they come; a stop token ends it and is not yielded."""
    for _, token in _decode(lm, [prompt], stop_ids=stop_ids, sampling=sampling):
        if token in stop_ids:
            return
        yield token


def _decode(
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
) -> Iterator[tuple[int, int]]:
    """(row, token) for every new token, stop tokens included."""
    model = lm.model
    logits, cache, mask = _prompted(lm, prompts)
    with attention.using(model, decode.implementation(model)):
        yield from _steps(lm, logits, cache, mask, stop_ids=stop_ids, sampling=sampling)


def _prompted(lm: LM, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, DynamicCache, Tensor]:
    """Logits of the first new tokens (B, V), the prompts' cache, and its mask (B, longest): left-padded."""
    cache = decode.roomy_cache(lm.model)
    if lm.packs_exactly:
        return _packed_prompts(lm, prompts, cache)
    batch = pack([_asked(ids) for ids in prompts], lm.device)
    tokens, mask = prefill.left_padded(batch.segments, lm.device)
    ids = batch.input_ids[0, tokens] * mask  # pads are token 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with attention.using(lm.model, decode.implementation(lm.model)):
        states = _last_states(lm, cache, ids, attention_mask=mask, position_ids=positions)
    return lm.logits(states[:, -1]), cache, mask


def _packed_prompts(
    lm: LM, prompts: Sequence[Sequence[int]], cache: DynamicCache
) -> tuple[Tensor, DynamicCache, Tensor]:
    number = {ids: i for i, ids in enumerate(dict.fromkeys(map(tuple, prompts)))}
    batch = lm.pack([[_asked(ids) for ids in number]])
    rows = batch.segments[-len(number) :]
    picked = torch.tensor([number[tuple(ids)] for ids in prompts], device=lm.device)
    tokens, mask = (t[picked] for t in prefill.left_padded(rows, lm.device))
    spreading = prefill.spreading(cache, tokens)
    with attention.using(lm.model, attention.NAME):
        places = {"position_ids": batch.position_ids, "segments": batch.segments}
        states = _last_states(lm, spreading, batch.input_ids, **places)
    return lm.logits(states[0, tokens[:, -1]]), cache, mask


def _last_states(lm: LM, cache: DynamicCache, input_ids: Tensor, **places: Any) -> Tensor:
    """Hidden states (B, n, d) of new tokens (B, n), which the cache takes up."""
    output = lm.model.base_model(
        input_ids=input_ids, past_key_values=cache, use_cache=True, **places
    )
    states: Tensor = output.last_hidden_state
    return states


def _steps(
    lm: LM,
    logits: Tensor,
    cache: DynamicCache,
    mask: Tensor,
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
) -> Iterator[tuple[int, int]]:
    generator = torch.Generator(lm.device).manual_seed(sampling.seed)
    positions = mask.sum(1, keepdim=True)
    alive = list(range(len(mask)))
    finished: set[int] = set()
    for step in range(sampling.max_new_tokens):
        tokens = _choose(logits.float(), sampling, generator)
        for row, token in zip(alive, tokens.tolist(), strict=True):
            if row not in finished:
                yield row, token
                if token in stop_ids:
                    finished.add(row)
        if finished.issuperset(alive) or step + 1 == sampling.max_new_tokens:
            return
        mask = torch.cat((mask, mask.new_ones(len(alive), 1)), 1)
        keep = [i for i, row in enumerate(alive) if row not in finished]
        if 4 * (len(alive) - len(keep)) >= len(alive):
            index = torch.tensor(keep, device=lm.device)
            cache.reorder_cache(index)
            tokens, mask, positions = tokens[index], mask[index], positions[index]
            alive = [alive[i] for i in keep]
        states = _last_states(
            lm, cache, tokens[:, None], attention_mask=mask, position_ids=positions
        )
        logits = lm.logits(states[:, -1])
        positions = positions + 1


def _asked(prompt: Sequence[int]) -> Encoded:
    return Encoded(tuple(prompt), (False,) * len(prompt))


def _choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """The next token of each row; logits (B, V) -> (B,)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    p = (logits / sampling.temperature).softmax(-1)
    ordered, order = p.sort(-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= sampling.top_p
    picked = torch.multinomial(ordered.masked_fill(outside, 0.0), 1, generator=generator)
    return order.gather(-1, picked).squeeze(-1)
