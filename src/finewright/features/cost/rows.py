"""The rows of a run in numbers: their tokens, the largest batch, the steps.

A tokenizer counts the longest rows and some of the others; the rest have as many tokens as their characters
and turns let expect, at the rate of those that were counted (the ratio estimator of survey sampling: Cochran
1977, chapter 6), and the total says how far that may be off."""

import math
import random
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError, FinewrightError, MissingExtra
from finewright.features.cost.job import Rows
from finewright.lm.sources import LocalBase
from finewright.schema.common import Problem
from finewright.schema.cost import Range, TokensTier
from finewright.schema.rows import Row, content_of
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings
from finewright.train.prepared import prepared
from finewright.train.rows import MethodRows

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.example import Example

# Rows that a tokenizer counts: the longest decide over memory and `max_length`, the others over tokens.
_LONGEST, _OTHERS = 80, 320
_LOOKED_AT_STEPS = 500
# Characters of a token: prose in English to code and other scripts; and what a template adds to a turn.
_CHARACTERS = Range(low=2.8, median=3.8, high=4.8)
_TEMPLATE_TOKENS = 6


class _Length(NamedTuple):
    """Tokens of a row, of its longest sequence, how many are learned, and how many run through the model, as
    a pair's prompt runs once."""

    tokens: int
    sequence: int
    learned: int
    run: int

    def scaled(self, rate: float) -> "_Length":
        """All of it at another rate."""
        return _Length(*(round(rate * tokens) for tokens in self))

    def cut(self, most: int) -> "_Length":
        """With sequences of at most so many tokens."""
        return self if self.sequence <= most else self.scaled(most / self.sequence)


class _Lengths(NamedTuple):
    """The rows that train, by what they were counted, how far their sum may be off, and what is said."""

    rows: list[_Length]
    tier: TokensTier
    error: float = 0.0
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
    if not shaped.rows:
        raise DataError("there are no rows to train on, so there is nothing to estimate")
    chat = None if base is None else _chat_of(base, run)
    lengths = _by_tokenizer(shaped.rows, spec, base, chat) if base and chat else None
    return _counted(lengths or _by_characters(shaped.rows, spec), spec)


def _by_tokenizer(
    rows: Sequence[Row], spec: TrainSettings, base: LocalBase, chat: "Chat"
) -> _Lengths | None:
    """What becomes of rows that are too long is what training makes of them; None where none is left."""
    reckoned = [_reckoned(row) for row in rows]
    places = _looked_at([length.tokens for length in reckoned])
    looked_at = [rows[i] for i in places]
    found = prepared(base, spec, chat, MethodRows(looked_at, [])).encoded
    if not found.rows:
        return None
    counted = [_length(example) for example in found.rows]
    if len(places) == len(rows):
        return _Lengths(counted, "counted", problems=found.problems)
    pairs = [
        (length, reckoned[places[i]])
        for length, i in zip(counted, _kept(found.rows, looked_at), strict=True)
        if length.sequence < spec.max_length
    ]
    rate, spread = _rate(pairs)
    others = set(range(len(rows))).difference(places)
    scaled = (reckoned[i].scaled(rate) for i in sorted(others))
    fitted = list(_fitted(scaled, spec))
    total = sum(length.tokens for length in (*counted, *fitted))
    part = f"of {len(places)} of {len(rows)} rows, the {_LONGEST} longest among them: "
    return _Lengths(
        [*counted, *fitted],
        "sampled",
        2 * spread * len(fitted) / total,
        tuple(p.model_copy(update={"message": part + p.message}) for p in found.problems),
    )


def _looked_at(tokens: Sequence[int]) -> list[int]:
    """Where the longest rows stand and others at even distances, in order; of few rows all."""
    if len(tokens) <= _LONGEST + _OTHERS:
        return list(range(len(tokens)))
    by_length = sorted(range(len(tokens)), key=lambda i: (-tokens[i], i))
    others = sorted(by_length[_LONGEST:])
    spread = (others[i * len(others) // _OTHERS] for i in range(_OTHERS))
    return sorted((*by_length[:_LONGEST], *spread))


def _kept(examples: Sequence["Example"], rows: Sequence[Row]) -> Iterator[int]:
    """Of each example the place of its row: the next with its id, as several may have one."""
    place = -1
    for example in examples:
        wanted = example.sequences[0].row_id
        place = next(i for i in range(place + 1, len(rows)) if rows[i].id == wanted)
        yield place


def _rate(pairs: Sequence[tuple[_Length, _Length]]) -> tuple[float, float]:
    """Tokens counted for a token reckoned, and the standard error of a row's tokens at that rate."""
    if not pairs:
        return 1.0, 0.0
    rate = sum(c.tokens for c, _ in pairs) / max(1, sum(r.tokens for _, r in pairs))
    residuals = [c.tokens - rate * r.tokens for c, r in pairs]
    return rate, statistics.pstdev(residuals) / math.sqrt(len(residuals))


def _length(example: "Example") -> _Length:
    from finewright.lm.example import shared_length

    again = (len(example.sequences) - 1) * shared_length(example.sequences)
    longest = max(sequence.num_tokens for sequence in example.sequences)
    run = example.num_tokens - again
    return _Length(example.num_tokens, longest, example.num_trained, run)


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


def _by_characters(rows: Sequence[Row], spec: TrainSettings) -> _Lengths:
    """Rows that are too long are reckoned as cut."""
    return _Lengths([_reckoned(row).cut(spec.max_length) for row in rows], "from characters")


def _reckoned(row: Row) -> _Length:
    sides = [side for side in (row.messages, row.rejected) if side is not None]
    each = [_tokens_of(side) for side in sides]
    learned = _tokens_of([m for side in sides for m in side if m["role"] == "assistant"])
    again = _tokens_of(row.prompt) * (len(sides) - 1) if len(sides) > 1 else 0
    return _Length(sum(each), max(each), learned, sum(each) - again)


def _tokens_of(messages: Sequence[dict[str, object]]) -> int:
    characters = sum(len(content_of(message)) for message in messages)
    return round(characters / _CHARACTERS.median) + _TEMPLATE_TOKENS * len(messages)


def _fitted(lengths: Iterable[_Length], spec: TrainSettings) -> Iterator[_Length]:
    """Those that train by `on_overlong`."""
    for length in lengths:
        if length.sequence <= spec.max_length or spec.on_overlong == "truncate":
            yield length.cut(spec.max_length)


def _counted(lengths: _Lengths, spec: TrainSettings) -> CountedRows:
    tokens = [length.tokens for length in lengths.rows]
    batches = _batches(tokens, spec)
    steps, seen = _steps(spec, len(tokens), statistics.fmean(map(len, batches)))
    rows = Rows(
        count=len(tokens),
        mean=statistics.fmean(tokens),
        longest=max(tokens),
        longest_sequence=max(length.sequence for length in lengths.rows),
        batch_tokens=max(map(sum, batches)),
        learned_share=min(1.0, sum(n.learned for n in lengths.rows) / max(1, sum(tokens))),
        tier=lengths.tier,
    )
    return CountedRows(rows, steps, _total(lengths, seen), lengths.problems)


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


def _total(lengths: _Lengths, seen: float) -> Range:
    """Tokens of the rows that are seen; two standard errors wide, or as far as characters leave open."""
    tokens = [length.run for length in lengths.rows]
    total = statistics.fmean(tokens) * seen
    if lengths.tier == "from characters":
        low, high = _CHARACTERS.median / _CHARACTERS.high, _CHARACTERS.median / _CHARACTERS.low
        return Range(low=low * total, median=total, high=high * total)
    spread = statistics.pstdev(tokens) / math.sqrt(min(seen, len(tokens)))
    drawn = 2 * spread / statistics.fmean(tokens)
    error = min(0.5, math.hypot(drawn, lengths.error))
    return Range(low=(1 - error) * total, median=total, high=(1 + error) * total)
