"""Answers of models whose attention does not read a cache in blocks: batches of left-padded rows.

Each step feeds one token per unfinished row. Rows that have ended leave the batch (and the key-value cache)
once they are a quarter of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from finewright.errors import ModelError
from finewright.lm.adapters.prefix import Prefix
from finewright.lm.batch import Segment, pack
from finewright.lm.engine.sampling import logp_of
from finewright.lm.example import EncodedRow
from finewright.lm.fast import attention, decode
from finewright.lm.generation import Generation, Sampling
from finewright.lm.model import LM
from finewright.lm.thoughts import Thoughts


class _Step(NamedTuple):
    """A token for each of the rows (their numbers), and the logits that chose it, of rows that have ended
    too: a row's are at `places`."""

    rows: Sequence[int]
    tokens: Sequence[int]
    logits: Tensor
    places: Sequence[int]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(row, token)."""
        return zip(self.rows, self.tokens, strict=True)

    def logps(self, temperature: float) -> Iterator[tuple[int, float]]:
        """(row, log p of its token)."""
        for row, token, at in zip(self.rows, self.tokens, self.places, strict=True):
            yield row, logp_of(self.logits[at], token, temperature)


@dataclass(frozen=True, slots=True)
class _Limits:
    """What ends the rows, and what bounds their thoughts, which count rows from `first`; `most` is of each
    row, beside the sampling's."""

    stop_ids: frozenset[int]
    most: Sequence[int] | None = None
    thoughts: Thoughts | None = None
    first: int = 0

    def choose_written(self, rows: Sequence[int], tokens: list[int]) -> list[int]:
        """What is written where these tokens were chosen."""
        if self.thoughts is None:
            return tokens
        pairs = zip(rows, tokens, strict=True)
        return [self.thoughts.choose_written(self.first + row, token) for row, token in pairs]

    def ends(self, row: int, token: int, step: int) -> bool:
        """Whether this token, chosen in the step, is the last of its row."""
        is_last = self.most is not None and step + 1 >= self.most[row]
        return is_last or token in self.stop_ids


def each_padded(  # noqa: PLR0913 - see generate.py
    lm: LM,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    sampling: Sampling,
    thoughts: Thoughts | None,
    *,
    limits: Sequence[int],
    batch_size: int,
) -> Iterator[tuple[int, Generation]]:
    """(row, answer), batch by batch."""
    for start in range(0, len(prompts), batch_size):
        end = min(start + batch_size, len(prompts))
        limited = _Limits(stop_ids, limits[start:end], thoughts, start)
        new: list[list[int]] = [[] for _ in range(start, end)]
        logps: list[list[float]] = [[] for _ in new]
        ends: list[int | None] = [None] * len(new)
        for step in _decode(lm, prompts[start:end], limits=limited, sampling=sampling):
            for row, token in step.pairs():
                if token in stop_ids:
                    ends[row] = token
                else:
                    new[row].append(token)
            if sampling.keeps_logps:
                for row, logp in step.logps(sampling.temperature or 1.0):
                    logps[row].append(logp)
        for row, (ids, stop_id, each) in enumerate(zip(new, ends, logps, strict=True)):
            yield start + row, Generation(tuple(ids), stop_id, tuple(each))


def stream_padded(
    lm: LM,
    prompt: Sequence[int],
    stop_ids: frozenset[int],
    sampling: Sampling,
    thoughts: Thoughts | None,
) -> Iterator[int]:
    """See generate.py."""
    limited = _Limits(stop_ids, None, thoughts)
    for step in _decode(lm, [prompt], limits=limited, sampling=sampling):
        (token,) = step.tokens
        if token in stop_ids:
            return
        yield token


def trace_padded(
    lm: LM, prompts: Sequence[Sequence[int]], num_tokens: int
) -> list[tuple[tuple[int, ...], Tensor]]:
    """See generate.py."""
    sampling = Sampling(max_new_tokens=num_tokens)
    steps = list(_decode(lm, prompts, limits=_Limits(frozenset()), sampling=sampling))
    logits = torch.stack([step.logits.float().cpu() for step in steps], 1)
    return [(tuple(step.tokens[row] for step in steps), logits[row]) for row in range(len(prompts))]


@torch.no_grad()
def _decode(
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    limits: _Limits,
    sampling: Sampling,
) -> Iterator[_Step]:
    """Every new token, stop tokens included."""
    with attention.using(lm.model, decode.implementation(lm.model)):
        logits, cache, mask = _prefill(lm, prompts)
        yield from _steps(lm, logits, cache, mask, limits=limits, sampling=sampling)


def _prefill(lm: LM, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, DynamicCache, Tensor]:
    """Logits of the first new tokens (B, V), the prompts' cache, and its mask (B, longest): left-padded."""
    if any(isinstance(part, Prefix) for part in lm.adapters.values()):
        raise ModelError(f"{type(lm.model).__name__}: prefix tuning needs a cache in blocks")
    cache = decode.roomy_cache(lm.model)
    row = lm.with_virtual_tokens(pack([_prompt_row(ids) for ids in prompts], lm.device))
    tokens, mask = _left_padded(row.segments[-len(prompts) :], lm.device)
    # ids or embeddings; what a pad holds is masked
    given = {name: tensor[0, tokens] for name, tensor in lm.inputs(row).items()}
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    places = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
    states = _last_states(lm, {**given, **places})
    return lm.logits(states[:, -1]), cache, mask


def _left_padded(rows: Sequence[Segment], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each row's tokens lie in the packed row, its prefix's first, and which are no pads; both
    (B, longest)."""
    longest = max(row.prefix_length + row.length for row in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for i, row in enumerate(rows):
        before = torch.arange(row.prefix_start, row.prefix_start + row.prefix_length)
        own = torch.arange(row.start, row.start + row.length)
        tokens[i, longest - row.prefix_length - row.length :] = torch.cat((before, own))
        mask[i, longest - row.prefix_length - row.length :] = 1
    return tokens.to(device), mask.to(device)


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
        found = limits.choose_written(alive, chosen)
        if found != chosen:
            tokens = tokens.new_tensor(found)
        made = _Step([alive[i] for i in going], [found[i] for i in going], logits, going)
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
