"""Answers from a model: many at once for measuring, one token at a time for talking.

Prompts run packed where the model packs exactly, left-padded where not; then each step feeds one token
per unfinished row. Rows that have ended leave the batch (and the key-value cache) once they are a quarter
of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from finewright.lm.batch import EncodedRow, pack
from finewright.lm.fast import attention, decode, prefill
from finewright.lm.model import LM
from finewright.lm.thoughts import Thoughts


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0 is greedy; otherwise nucleus sampling with a seed."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


class Generation(NamedTuple):
    """New tokens, and the stop token after them where the model ended by itself."""

    ids: tuple[int, ...]
    stop_id: int | None

    @property
    def stopped(self) -> bool:
        """Did the model end by itself?"""
        return self.stop_id is not None


class Trace(NamedTuple):
    """Tokens that were generated greedily, and the logits (n, V) that chose them."""

    ids: tuple[int, ...]
    logits: Tensor


class _Step(NamedTuple):
    """A token for each of the rows (their numbers), and the logits that chose it."""

    rows: Sequence[int]
    tokens: Sequence[int]
    logits: Tensor

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(row, token)."""
        return zip(self.rows, self.tokens, strict=True)


@dataclass(frozen=True, slots=True)
class _Limits:
    """What ends the rows, and what bounds their thoughts; `most` is of each row, beside the sampling's."""

    stop_ids: frozenset[int]
    most: Sequence[int] | None = None
    thoughts: Thoughts | None = None

    def written(self, rows: Sequence[int], tokens: list[int]) -> list[int]:
        """What is written where these tokens were chosen."""
        if self.thoughts is None:
            return tokens
        return [self.thoughts.written(*pair) for pair in zip(rows, tokens, strict=True)]

    def ends(self, row: int, token: int, step: int) -> bool:
        """Is this token, chosen in the step, the last of its row?"""
        is_last = self.most is not None and step + 1 >= self.most[row]
        return is_last or token in self.stop_ids


@torch.inference_mode()
def generate(
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
    limits: Sequence[int] | None = None,
    thoughts: Thoughts | None = None,
) -> list[Generation]:
    """One answer per prompt, in order; `limits` are the most tokens of each, and `thoughts` bounds those."""
    new: list[list[int]] = [[] for _ in prompts]
    ends: list[int | None] = [None] * len(prompts)
    limited = _Limits(stop_ids, limits, thoughts)
    for step in _decode(lm, prompts, limits=limited, sampling=sampling):
        for row, token in step.pairs():
            if token in stop_ids:
                ends[row] = token
            else:
                new[row].append(token)
    return [Generation(tuple(ids), end) for ids, end in zip(new, ends, strict=True)]


@torch.inference_mode()
def stream(
    lm: LM,
    prompt: Sequence[int],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
    thoughts: Thoughts | None = None,
) -> Iterator[int]:
    """The answer's tokens as they come; a stop token ends it and is not yielded."""
    limited = _Limits(stop_ids, None, thoughts)
    for step in _decode(lm, [prompt], limits=limited, sampling=sampling):
        (token,) = step.tokens
        if token in stop_ids:
            return
        yield token


@torch.inference_mode()
def trace(lm: LM, prompts: Sequence[Sequence[int]], num_tokens: int) -> list[Trace]:
    """Exactly `num_tokens` greedy tokens for each prompt, with their logits on the CPU, float32."""
    sampling = Sampling(max_new_tokens=num_tokens)
    steps = list(_decode(lm, prompts, limits=_Limits(frozenset()), sampling=sampling))
    logits = torch.stack([step.logits.float().cpu() for step in steps], 1)
    return [
        Trace(tuple(step.tokens[row] for step in steps), logits[row]) for row in range(len(prompts))
    ]


def _decode(
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    limits: _Limits,
    sampling: Sampling,
) -> Iterator[_Step]:
    """Every new token, stop tokens included."""
    model = lm.model
    logits, cache, mask = _prompted(lm, prompts)
    with attention.using(model, decode.implementation(model)):
        yield from _steps(lm, logits, cache, mask, limits=limits, sampling=sampling)


def _prompted(lm: LM, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, DynamicCache, Tensor]:
    """Logits of the first new tokens (B, V), the prompts' cache, and its mask (B, longest): left-padded."""
    cache = decode.roomy_cache(lm.model)
    if lm.packs_exactly:
        return _packed_prompts(lm, prompts, cache)
    row = lm.with_virtual_tokens(pack([_prompt_row(ids) for ids in prompts], lm.device))
    tokens, mask = prefill.left_padded(row.segments[-len(prompts) :], lm.device)
    # ids or embeddings; what a pad holds is masked
    given = {name: tensor[0, tokens] for name, tensor in lm.inputs(row).items()}
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with attention.using(lm.model, decode.implementation(lm.model)):
        places = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
        states = _last_states(lm, {**given, **places})
    return lm.logits(states[:, -1]), cache, mask


def _packed_prompts(
    lm: LM, prompts: Sequence[Sequence[int]], cache: DynamicCache
) -> tuple[Tensor, DynamicCache, Tensor]:
    number = {ids: i for i, ids in enumerate(dict.fromkeys(map(tuple, prompts)))}
    row = lm.with_virtual_tokens(lm.pack([[_prompt_row(ids) for ids in number]]))
    rows = row.segments[-len(number) :]
    picked = torch.tensor([number[tuple(ids)] for ids in prompts], device=lm.device)
    tokens, mask = (t[picked] for t in prefill.left_padded(rows, lm.device))
    spreading = prefill.spreading(cache, tokens)
    with attention.using(lm.model, attention.NAME):
        places = {"position_ids": row.position_ids, "segments": row.segments}
        states = _last_states(lm, {**lm.inputs(row, spreading), **places})
    return lm.logits(states[0, tokens[:, -1]]), cache, mask


def _last_states(lm: LM, given: Mapping[str, Any]) -> Tensor:
    """Hidden states (B, n, d) of new tokens (B, n), which the cache that is given takes up."""
    output = lm.model.base_model(**{"use_cache": True, **given})
    states: Tensor = output.last_hidden_state
    return states


def _steps(
    lm: LM,
    logits: Tensor,
    cache: DynamicCache,
    mask: Tensor,
    *,
    limits: _Limits,
    sampling: Sampling,
) -> Iterator[_Step]:
    generator = torch.Generator(lm.device).manual_seed(sampling.seed)
    positions = mask.sum(1, keepdim=True)
    alive = list(range(len(mask)))
    finished: set[int] = set()
    for step in range(sampling.max_new_tokens):
        tokens = _choose(logits.float(), sampling, generator)
        going = [i for i, row in enumerate(alive) if row not in finished]
        chosen = tokens.tolist()
        found = limits.written(alive, chosen)
        if found != chosen:
            tokens = tokens.new_tensor(found)
        made = _Step([alive[i] for i in going], [found[i] for i in going], logits)
        yield made
        finished.update(row for row, token in made.pairs() if limits.ends(row, token, step))
        if finished.issuperset(alive) or step + 1 == sampling.max_new_tokens:
            return
        mask = torch.cat((mask, mask.new_ones(len(alive), 1)), 1)
        keep = [i for i, row in enumerate(alive) if row not in finished]
        if 4 * (len(alive) - len(keep)) >= len(alive):
            index = torch.tensor(keep, device=lm.device)
            cache.reorder_cache(index)
            tokens, mask, positions = tokens[index], mask[index], positions[index]
            alive = [alive[i] for i in keep]
        places = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
        states = _last_states(lm, {"input_ids": tokens[:, None], **places})
        logits = lm.logits(states[:, -1])
        positions = positions + 1


def _prompt_row(prompt: Sequence[int]) -> EncodedRow:
    return EncodedRow(tuple(prompt), (False,) * len(prompt))


def _choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """The next token of each row; logits (B, V) -> (B,)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    p = (logits / sampling.temperature).softmax(-1)
    ordered, order = p.sort(-1, descending=True)
    outside = ordered.cumsum(-1) - ordered >= sampling.top_p
    picked = torch.multinomial(ordered.masked_fill(outside, 0.0), 1, generator=generator)
    return order.gather(-1, picked).squeeze(-1)
