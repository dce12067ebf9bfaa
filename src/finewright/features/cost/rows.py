"""The rows of a run in numbers: their tokens, the largest batch, the steps."""

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError, FinewrightError, MissingExtra
from finewright.features.cost.job import Rows
from finewright.lm.sources import BaseModel
from finewright.schema.cost import Range
from finewright.schema.methods import AnyTrainSpec
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.train.rows import MethodRows

if TYPE_CHECKING:
    from finewright.lm.chat import Chat

# Enough to know the mean to 2 % where lengths differ as in chat data.
_LOOKED_AT = 2000
_LOOKED_AT_STEPS = 500
_PAIRED = ("dpo", "orpo", "simpo", "reward")
# Characters of a token: prose in English to code and other scripts; and what a template adds to a turn.
_CHARACTERS = Range(low=2.8, median=3.8, high=4.8)
_TEMPLATE_TOKENS = 6


class Lengths(NamedTuple):
    """Tokens of each row that was looked at, how many of these are learned, how many run through the model
    as a pair's prompt runs once, and by what they were counted."""

    tokens: list[int]
    learned: list[int]
    run: list[int]
    counted: bool


class Counted(NamedTuple):
    """The rows, the optimiser steps, and the tokens of them all."""

    rows: Rows
    steps: int
    tokens: Range


def count(shaped: MethodRows, spec: AnyTrainSpec, base: BaseModel | None, run: RunSpec) -> Counted:
    """Count by the model's tokenizer where there is one, else by characters. DataError without rows."""
    rows = shaped.rows
    if not rows:
        raise DataError("there are no rows to train on, so there is nothing to estimate")
    step = max(1, len(rows) // _LOOKED_AT)
    looked_at = list(rows[::step])
    lengths = _by_tokenizer(looked_at, base, run) or _by_characters(looked_at)
    return _counted(lengths, spec, len(rows))


def _by_tokenizer(rows: Sequence[Row], base: BaseModel | None, run: RunSpec) -> Lengths | None:
    if base is None or not (base.folder / "tokenizer.json").is_file():
        return None
    try:
        from finewright.lm.load import chat_of
        from finewright.lm.runtime import require_runtime

        require_runtime()
        chat = chat_of(base, run)
    except (FinewrightError, MissingExtra, ImportError):
        return None
    found = list(_encoded(chat, rows))
    if not found:
        return None
    tokens, learned, ran = ([each[i] for each in found] for i in range(3))
    return Lengths(tokens, learned, ran, counted=True)


def _encoded(chat: "Chat", rows: Sequence[Row]) -> Iterator[tuple[int, int, int]]:
    from finewright.lm.batch import shared_length
    from finewright.lm.encode import encode_example

    for row in rows:
        try:
            example = encode_example(chat, row)
        except DataError:
            continue  # `check` names it
        again = (len(example.sequences) - 1) * shared_length(example.sequences)
        yield example.num_tokens, example.num_trained, example.num_tokens - again


def _by_characters(rows: Sequence[Row]) -> Lengths:
    tokens, learned, run = [], [], []
    for row in rows:
        sides = [row.messages, *([row.rejected] if row.rejected is not None else [])]
        told = [m for side in sides for m in side]
        tokens.append(_tokens_of(told))
        learned.append(_tokens_of([m for m in told if m["role"] == "assistant"]))
        asked = row.prompt if row.rejected is not None else ()
        run.append(tokens[-1] - _tokens_of(asked))
    return Lengths(tokens, learned, run, counted=False)


def _tokens_of(messages: Sequence[dict[str, object]]) -> int:
    characters = sum(len(str(message.get("content") or "")) for message in messages)
    return round(characters / _CHARACTERS.median) + _TEMPLATE_TOKENS * len(messages)


def _counted(lengths: Lengths, spec: AnyTrainSpec, num_rows: int) -> Counted:
    most = spec.max_length * (2 if spec.method in _PAIRED else 1)
    tokens = [min(length, most) for length in lengths.tokens]
    batches = _batches(tokens, spec)
    per_batch = statistics.fmean(map(len, batches))
    mean = statistics.fmean(tokens)
    steps, seen = _steps(spec, num_rows, per_batch)
    rows = Rows(
        count=num_rows,
        mean=mean,
        longest=max(tokens),
        batch_tokens=max(map(sum, batches)),
        learned_share=min(1.0, sum(lengths.learned) / max(1, sum(lengths.tokens))),
        counted=lengths.counted,
    )
    shares = zip(tokens, lengths.tokens, lengths.run, strict=True)
    run = [ran * kept / max(1, length) for kept, length, ran in shares]
    return Counted(rows, steps, _total(run, seen, counted=lengths.counted))


def _batches(tokens: Sequence[int], spec: AnyTrainSpec) -> list[list[int]]:
    """Batches as the run will meet them: the same sizes in another order."""
    rng = random.Random(spec.seed)  # noqa: S311 - not a secret
    order = rng.choices(tokens, k=_LOOKED_AT_STEPS * min(spec.batch_size, 64))
    batches: list[list[int]] = [[]]
    for length in order:
        here = batches[-1]
        full = (
            len(here) >= spec.batch_size
            if spec.batch_tokens is None
            else bool(here) and sum(here) + length > spec.batch_tokens
        )
        if full:
            batches.append([])
        batches[-1].append(length)
    return batches


def _steps(spec: AnyTrainSpec, num_rows: int, per_batch: float) -> tuple[int, float]:
    """Optimiser steps, and rows that they see."""
    per_step = per_batch * spec.gradient_accumulation
    if spec.max_steps is not None:
        return spec.max_steps, spec.max_steps * per_step
    seen = max(1.0, spec.epochs * num_rows)
    return math.ceil(seen / per_step), seen


def _total(tokens: Sequence[float], seen: float, *, counted: bool) -> Range:
    """Tokens of the rows that are seen; two standard errors wide, or as far as characters leave open."""
    total = statistics.fmean(tokens) * seen
    if not counted:
        low, high = _CHARACTERS.median / _CHARACTERS.high, _CHARACTERS.median / _CHARACTERS.low
        return Range(low=low * total, median=total, high=high * total)
    spread = statistics.pstdev(tokens) / math.sqrt(min(seen, len(tokens)))
    error = min(0.5, 2 * spread / statistics.fmean(tokens))
    return Range(low=(1 - error) * total, median=total, high=(1 + error) * total)
