"""The rows of a run in numbers: their tokens, the largest batch, the steps."""

import math
import random
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError, FinewrightError, MissingExtra
from finewright.features.cost.job import Rows
from finewright.lm.sources import LocalBase
from finewright.schema.common import Problem
from finewright.schema.cost import Range
from finewright.schema.rows import Row, content_of
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings
from finewright.train.prepared import prepared
from finewright.train.rows import MethodRows

if TYPE_CHECKING:
    from finewright.lm.chat import Chat

# Enough to know the mean to 2 % where lengths differ as in chat data.
_LOOKED_AT = 2000
_LOOKED_AT_STEPS = 500
# Characters of a token: prose in English to code and other scripts; and what a template adds to a turn.
_CHARACTERS = Range(low=2.8, median=3.8, high=4.8)
_TEMPLATE_TOKENS = 6


class Lengths(NamedTuple):
    """Tokens of each row that was looked at and trains, of its longest sequence, how many are learned, how
    many run through the model as a pair's prompt runs once, and by what they were counted."""

    tokens: list[int]
    sequence: list[int]
    learned: list[int]
    run: list[int]
    counted: bool
    problems: tuple[Problem, ...] = ()


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
    rows = shaped.rows
    if not rows:
        raise DataError("there are no rows to train on, so there is nothing to estimate")
    step = max(1, len(rows) // _LOOKED_AT)
    looked_at = list(rows[::step])
    lengths = _by_tokenizer(looked_at, spec, base, run)
    if lengths is None:
        return _counted(_by_characters(looked_at, spec), spec, len(rows))
    share = len(lengths.tokens) / len(looked_at)
    counted = _counted(lengths, spec, max(1, round(share * len(rows))))
    part = f"of every {step}th row: " if step > 1 else ""
    problems = [p.model_copy(update={"message": part + p.message}) for p in lengths.problems]
    return counted._replace(problems=tuple(problems))


def _by_tokenizer(
    rows: list[Row], spec: TrainSettings, base: LocalBase | None, run: RunSpec
) -> Lengths | None:
    """What becomes of rows that are too long is what training makes of them."""
    if base is None or (chat := _chat_of(base, run)) is None:
        return None
    from finewright.lm.batch import shared_length

    found = prepared(base, spec, chat, MethodRows(rows, [])).encoded
    if not found.rows:
        return None
    again = [(len(e.sequences) - 1) * shared_length(e.sequences) for e in found.rows]
    return Lengths(
        tokens=[example.num_tokens for example in found.rows],
        sequence=[max(each.num_tokens for each in example.sequences) for example in found.rows],
        learned=[example.num_trained for example in found.rows],
        run=[e.num_tokens - more for e, more in zip(found.rows, again, strict=True)],
        counted=True,
        problems=found.problems,
    )


def _chat_of(base: LocalBase, run: RunSpec) -> "Chat | None":
    """The base's tokenizer and template, where they are here and can be read."""
    if not (base.folder / "tokenizer.json").is_file():
        return None
    try:
        from finewright.lm.load import chat_of
        from finewright.lm.runtime import require_runtime

        require_runtime()
        return chat_of(base, run)
    except (FinewrightError, MissingExtra, ImportError):
        return None


def _by_characters(rows: Sequence[Row], spec: TrainSettings) -> Lengths:
    """Rows that are too long are reckoned as cut."""
    found = Lengths([], [], [], [], counted=False)
    for row in rows:
        sides = [side for side in (row.messages, row.rejected) if side is not None]
        each = [_tokens_of(side) for side in sides]
        learned = _tokens_of([m for side in sides for m in side if m["role"] == "assistant"])
        again = _tokens_of(row.prompt) * (len(sides) - 1)
        kept = sum(min(length, spec.max_length) for length in each)
        found.tokens.append(kept)
        found.sequence.append(min(max(each), spec.max_length))
        found.learned.append(round(learned * kept / max(1, sum(each))))
        found.run.append(round((sum(each) - again) * kept / max(1, sum(each))))
    return found


def _tokens_of(messages: Sequence[dict[str, object]]) -> int:
    characters = sum(len(content_of(message)) for message in messages)
    return round(characters / _CHARACTERS.median) + _TEMPLATE_TOKENS * len(messages)


def _counted(lengths: Lengths, spec: TrainSettings, num_rows: int) -> CountedRows:
    tokens = lengths.tokens
    batches = _batches(tokens, spec)
    per_batch = statistics.fmean(map(len, batches))
    mean = statistics.fmean(tokens)
    steps, seen = _steps(spec, num_rows, per_batch)
    rows = Rows(
        count=num_rows,
        mean=mean,
        longest=max(tokens),
        longest_sequence=max(lengths.sequence),
        batch_tokens=max(map(sum, batches)),
        learned_share=min(1.0, sum(lengths.learned) / max(1, sum(tokens))),
        counted=lengths.counted,
    )
    return CountedRows(rows, steps, _total(lengths.run, seen, counted=lengths.counted))


def _batches(tokens: Sequence[int], spec: TrainSettings) -> list[list[int]]:
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


def _steps(spec: TrainSettings, num_rows: int, per_batch: float) -> tuple[int, float]:
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
