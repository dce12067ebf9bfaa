"""The rows of a run in numbers: their tokens, the largest batch, the steps."""

import math
import random
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError, FinewrightError, MissingExtra
from finewright.lm.sources import LocalBase
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings
from finewright.train.rows import MethodRows
from finewright_advice.cost.by_tokenizer import by_tokenizer
from finewright_advice.cost.job import Rows
from finewright_advice.cost.lengths import CHARACTERS, Lengths, reckon_length, reckon_windows

if TYPE_CHECKING:
    from finewright.lm.chat import Chat

_LOOKED_AT_STEPS = 500


class CountedRows(NamedTuple):
    """The rows, the optimiser steps, the tokens of them all, and what becomes of rows that are too long."""

    rows: Rows
    steps: int
    tokens: Range
    problems: tuple[Problem, ...] = ()


def count(
    shaped: MethodRows, spec: TrainSettings, base: LocalBase | None, run: RunSpec
) -> CountedRows:
    """Count by the model's tokenizer where there is one, else by characters. DataError without rows."""
    if not shaped.rows:
        raise DataError("there are no rows to train on, so there is nothing to estimate")
    chat = None if base is None else _chat_of(base, run)
    lengths = by_tokenizer(shaped.rows, spec, chat) if chat else None
    return _count_rows(lengths or _by_characters(shaped.rows, spec), spec)


def _chat_of(base: LocalBase, run: RunSpec) -> "Chat | None":
    """The base's tokenizer and template, where they are here and can be read."""
    if not (base.folder / "tokenizer.json").is_file():
        return None
    try:
        from finewright.lm.load_chat import counting_chat
        from finewright.lm.runtime import require_runtime

        require_runtime()
        return counting_chat(base, run)
    except (FinewrightError, MissingExtra, ImportError):
        return None


def _by_characters(rows: Sequence[Row], spec: TrainSettings) -> Lengths:
    """Rows that are too long are reckoned as cut."""
    lengths = [
        length
        for row in rows
        for length in (
            reckon_windows(row, spec.max_length)
            if row.is_text
            else (reckon_length(row).cut(spec.max_length),)
        )
    ]
    return Lengths(lengths, "from characters")


def _count_rows(lengths: Lengths, spec: TrainSettings) -> CountedRows:
    tokens = [length.tokens for length in lengths.rows]
    batches = _batches(tokens, spec)
    steps, seen = _steps(spec, len(tokens), statistics.fmean(map(len, batches)))
    rows = Rows(
        count=len(tokens),
        mean=statistics.fmean(tokens),
        longest=round(max(tokens)),
        longest_sequence=round(max(length.sequence for length in lengths.rows)),
        batch_tokens=round(max(map(sum, batches))),
        learned_share=min(1.0, sum(n.learned for n in lengths.rows) / max(1, sum(tokens))),
        tier=lengths.tier,
    )
    return CountedRows(rows, steps, _total(lengths, seen), lengths.problems)


def _batches(tokens: Sequence[float], spec: TrainSettings) -> list[list[float]]:
    """Batches as the run will meet them: the same sizes in another order."""
    rng = random.Random(spec.seed)  # noqa: S311 - not a secret
    order = rng.choices(tokens, k=_LOOKED_AT_STEPS * min(spec.batch_size, 64))
    batches: list[list[float]] = [[]]
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


def _steps(spec: TrainSettings, num_rows: int, per_batch: float) -> tuple[int, float]:
    """Optimiser steps, and rows that they see."""
    per_step = per_batch * spec.gradient_accumulation
    if spec.max_steps is not None:
        return spec.max_steps, spec.max_steps * per_step
    seen = max(1.0, spec.epochs * num_rows)
    return math.ceil(seen / per_step), seen


def _total(lengths: Lengths, seen: float) -> Range:
    """Tokens of the rows that are seen; two standard errors wide, or as far as characters leave open."""
    tokens = [length.run for length in lengths.rows]
    total = statistics.fmean(tokens) * seen
    if lengths.tier == "from characters":
        low, high = CHARACTERS.median / CHARACTERS.high, CHARACTERS.median / CHARACTERS.low
        return Range(low=low * total, median=total, high=high * total)
    spread = statistics.pstdev(tokens) / math.sqrt(min(seen, len(tokens)))
    drawn = 2 * spread / statistics.fmean(tokens)
    error = min(0.5, math.hypot(drawn, lengths.error))
    return Range(low=(1 - error) * total, median=total, high=(1 + error) * total)
