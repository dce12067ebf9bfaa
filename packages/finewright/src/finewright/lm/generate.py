"""Answers from a model: many at once for measuring, one token at a time for talking.

They come from the generation engine (engine/engine.py); of models whose cache cannot be kept in blocks, from
padded batches (padded.py). Answers to prompts that are the same begin with one computation of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.engine.draft import DraftGuesses
from finewright.lm.engine.engine import EngineLimits, GenerationEngine
from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.engine.ready import ready_forward, say_slow
from finewright.lm.engine.requests import GenerationRequest, TokenSampling, WrittenTokens
from finewright.lm.engine.schemas import AnswerGrammar, Grammars
from finewright.lm.generation import Generation, Sampling
from finewright.lm.model import LM
from finewright.lm.padded import each_padded, stream_padded, trace_padded
from finewright.lm.runtime import free_bytes
from finewright.lm.thoughts import Thoughts

__all__ = ["Generation", "Sampling", "Trace", "each_answer", "generate", "stream", "trace"]

_SEEDS = 2**32
_MOST_RUNNING = 64
_SHARE = 0.5  # of the free memory, at most, for a cache
_GUESS_UP_TO = 1


class _AnswerSettings(NamedTuple):
    """How all prompts are answered."""

    stop_ids: frozenset[int]
    sampling: Sampling
    thoughts: Thoughts | None
    form: AnswerGrammar | None = None


class Trace(NamedTuple):
    """Tokens that were generated greedily, and the logits (n, V) that chose them."""

    ids: tuple[int, ...]
    logits: Tensor


def generate(  # noqa: PLR0913 - what is asked, by name
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
    limits: Sequence[int] | None = None,
    thoughts: Thoughts | None = None,
    numbers: Sequence[int] | None = None,
) -> list[Generation]:
    """One answer per prompt, in order; `limits` are the most tokens of each, and `thoughts` bounds those.

    Each answer's random numbers hang on the sampling's seed and the prompt's place; where these are a part of
    more prompts, `numbers` are their places there."""
    found = dict(
        each_answer(
            lm,
            prompts,
            stop_ids=stop_ids,
            sampling=sampling,
            limits=limits,
            thoughts=thoughts,
            numbers=numbers,
        )
    )
    return [found[row] for row in range(len(prompts))]


def _alike(
    prompts: Sequence[Sequence[int]], most: Sequence[int]
) -> dict[tuple[tuple[int, ...], int], list[int]]:
    """Prompt and limit -> the rows that have them."""
    found: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for row, prompt in enumerate(prompts):
        found.setdefault((tuple(prompt), most[row]), []).append(row)
    return found


def each_answer(  # noqa: PLR0913 - what is asked, by name
    lm: LM,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
    limits: Sequence[int] | None = None,
    thoughts: Thoughts | None = None,
    max_running: int = _MOST_RUNNING,
    numbers: Sequence[int] | None = None,
    form: AnswerGrammar | None = None,
) -> Iterator[tuple[int, Generation]]:
    """(row, answer) as they end, one for each prompt; see `generate`. At most `max_running` are in the
    making, and the next begins when one ends. Answers of a `form` are written by the engine alone."""
    most = [sampling.max_new_tokens] * len(prompts)
    if limits is not None:
        most = [min(pair) for pair in zip(most, limits, strict=True)]
    settings = _AnswerSettings(stop_ids, sampling, thoughts, form)
    if not lm.block_bytes:
        assert form is None  # whoever wants one asks for the blocks
        say_slow(lm.slow_answers)
        if numbers:  # one seed is for all answers of a batch
            settings = settings._replace(
                sampling=replace(sampling, seed=sampling.seed + numbers[0])
            )
        padded = settings.stop_ids, settings.sampling, settings.thoughts
        yield from each_padded(lm, prompts, *padded, limits=most, batch_size=max_running)
        return
    sizes = [len(prompt) + limit for prompt, limit in zip(prompts, most, strict=True)]
    engine, adapter = _engine(lm, sizes, max_running, grammars=form.grammars if form else None)
    rows_of: dict[int, list[int]] = {}
    for (prompt, limit), rows in _alike(prompts, most).items():
        for start in range(0, len(rows), max_running):
            some = rows[start : start + max_running]
            number = numbers[some[0]] if numbers else some[0]
            request = _request(prompt, limit, adapter, some, settings, number)
            rows_of[engine.add(request)] = some
    written: list[list[int]] = [[] for _ in prompts]
    logps: list[list[float]] = [[] for _ in prompts]
    for part in _run_to_end(engine):
        row = rows_of[part.request][part.answer]
        written[row] += part.tokens
        logps[row] += part.logps
        if part.end is not None:
            yield row, Generation(tuple(written[row]), part.end.stop_id, tuple(logps[row]))


@torch.inference_mode()
def stream(
    lm: LM,
    prompt: Sequence[int],
    *,
    stop_ids: frozenset[int],
    sampling: Sampling,
    thoughts: Thoughts | None = None,
    draft: DraftGuesses | None = None,
) -> Iterator[int]:
    """The answer's tokens as they come, the same ones with a draft; a stop token ends it and is not
    yielded."""
    settings = _AnswerSettings(stop_ids, sampling, thoughts)
    if not lm.block_bytes:
        say_slow(lm.slow_answers)
        yield from stream_padded(lm, prompt, stop_ids, sampling, thoughts)
        return
    limit = sampling.max_new_tokens
    engine, adapter = _engine(lm, [len(prompt) + limit], 1, draft)
    engine.add(_request(prompt, limit, adapter, [0], settings, 0))
    for part in _run_to_end(engine):
        yield from part.tokens


@torch.inference_mode()
def trace(lm: LM, prompts: Sequence[Sequence[int]], num_tokens: int) -> list[Trace]:
    """Exactly `num_tokens` greedy tokens for each prompt, with their logits on the CPU, float32."""
    if not lm.block_bytes:
        return [Trace(*pair) for pair in trace_padded(lm, prompts, num_tokens)]
    virtual = (0,) * lm.num_virtual
    return _trace(lm, [virtual + tuple(prompt) for prompt in prompts], num_tokens)


def _trace(lm: LM, rows: list[tuple[int, ...]], num_tokens: int) -> list[Trace]:
    each = -(-(max(map(len, rows)) + num_tokens) // BLOCK)
    forward, adapter, _ = ready_forward(lm, each * len(rows))
    tables = [tuple(range(i * each, (i + 1) * each)) for i in range(len(rows))]
    done, steps = [0] * len(rows), []
    for _ in range(num_tokens):
        pieces = [
            Piece(row[at:], at, table, adapter, 1)
            for row, at, table in zip(rows, done, tables, strict=True)
        ]
        done = [len(row) for row in rows]
        steps.append(forward.step(pieces).cpu())
        chosen = steps[-1].argmax(-1).tolist()
        rows = [(*row, token) for row, token in zip(rows, chosen, strict=True)]
    logits = torch.stack(steps, 1)
    return [Trace(row[-num_tokens:], own) for row, own in zip(rows, logits, strict=True)]


def _engine(
    lm: LM,
    sizes: Sequence[int],
    max_running: int,
    draft: DraftGuesses | None = None,
    grammars: Grammars | None = None,
) -> tuple[GenerationEngine, str | None]:
    """An engine with room for the longest answers that run together, as far as memory is left; `sizes` are
    the tokens of each prompt and its answer."""
    blocks = sorted((-(-(size + lm.num_virtual) // BLOCK) for size in sizes), reverse=True)
    most = int(_SHARE * free_bytes()) // lm.block_bytes
    num_blocks = 1 + max(blocks[0], min(most, sum(blocks[:max_running])))
    ready = ready_forward(lm, num_blocks)
    size = lm.model.get_output_embeddings().weight.shape[0]
    # where rounding hangs on the other rows of a step, a guess could change a token
    guess_up_to = _GUESS_UP_TO if ready.is_exact else 0
    limits = EngineLimits(
        size, max_running=max_running, guess_up_to=guess_up_to, draft=draft, grammars=grammars
    )
    return GenerationEngine(ready.forward, limits, own=ready.adapter), ready.adapter


def _request(
    prompt: Sequence[int],
    limit: int,
    adapter: str | None,
    rows: Sequence[int],
    settings: _AnswerSettings,
    number: int,
) -> GenerationRequest:
    """Answers to one prompt, those of these rows; `number` tells their seed from those of other prompts."""
    _, sampling, thoughts, form = settings
    seed = sampling.seed * _SEEDS + number
    return GenerationRequest(
        tuple(prompt),
        limit,
        TokenSampling(sampling.temperature, sampling.top_p, seed=seed),
        adapter,
        len(rows),
        settings.stop_ids,
        keeps_logps=sampling.keeps_logps,
        grammar=form.grammar if form else None,
        rewrite=(lambda k, token: thoughts.choose_written(rows[k], token)) if thoughts else None,
    )


def _run_to_end(engine: GenerationEngine) -> Iterator[WrittenTokens]:
    """What is written, to the end. Raises ModelError for an answer that fails."""
    while engine.has_work:
        for part in engine.step():
            if part.end is not None and part.end.reason == "error":
                raise ModelError(f"an answer ended early: {part.end.error}")
            yield part
