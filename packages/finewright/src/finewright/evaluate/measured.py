"""What was measured of systems on sets of rows: scores with intervals, paired differences, samples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from finewright.evaluate.own import OwnMetrics, read_own_metrics
from finewright.evaluate.samples import answer_counts
from finewright.evaluate.score import ScoredSet, ScoreOptions, alike_metrics, compare, options_of
from finewright.judge.user_function import Resolve
from finewright.schema.common import Problem
from finewright.schema.evaluate import (
    LOSS_METRICS,
    AnswerCounts,
    Difference,
    EvaluateSpec,
    Sample,
    Score,
)
from finewright.schema.rows import Row


@dataclass(frozen=True, slots=True)
class Settings:
    """How answers are made and scored; the fields of EvaluateSpec of the same names, and its functions of
    the user's own."""

    metrics: tuple[str, ...]
    max_new_tokens: int
    batch_size: int
    options: ScoreOptions
    max_thought_tokens: int | None = None
    own: OwnMetrics = field(default_factory=dict)


def settings_of(spec: EvaluateSpec, resolve: Resolve = Path) -> Settings:
    """As the spec says, whose paths are resolved by `resolve`. Raises SpecError for an own metric that may
    not run."""
    return Settings(
        spec.metric_names,
        spec.max_new_tokens,
        spec.batch_size,
        options_of(spec),
        spec.max_thought_tokens,
        read_own_metrics(spec, resolve),
    )


@dataclass(frozen=True, slots=True)
class RowSet:
    """A named set of held-out rows; `metrics` are its own, in place of the settings', where it is of a run
    that this one builds on, or of documents."""

    name: str
    rows: Sequence[Row]
    metrics: tuple[str, ...] = ()


def row_set_of(name: str, rows: Sequence[Row], metrics: tuple[str, ...] = ()) -> RowSet:
    """The set, with the metrics of a loss alone where its rows are documents: nothing is asked of them."""
    is_text = bool(rows) and all(row.is_text for row in rows)
    return RowSet(name, rows, LOSS_METRICS if is_text else metrics)


class Measured(NamedTuple):
    """One system on one row set, and what must be said of its answers."""

    system: str
    data: str
    scored: ScoredSet
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()


def differences(
    measured: Sequence[Measured], pairs: Sequence[tuple[str, str]], options: ScoreOptions
) -> tuple[Difference, ...]:
    """The paired comparison of each (system, against) on every row set both answered, by the metrics that
    both have."""
    by_key = {(m.system, m.data): m.scored for m in measured}
    names = dict.fromkeys(m.data for m in measured)
    return tuple(
        difference
        for system, against in pairs
        for data in names
        if (system, data) in by_key and (against, data) in by_key
        for difference in compare(
            *alike_metrics(by_key[system, data], by_key[against, data]), options
        )
    )


def counts_of(measured: Sequence[Measured]) -> tuple[AnswerCounts, ...]:
    """What the answers of each system are made of, in the order they were measured; of those alone that were
    generated."""
    return tuple(
        answer_counts(m.system, m.data, m.samples)
        for m in measured
        if any(sample.num_tokens for sample in m.samples)
    )


def scores_of(measured: Sequence[Measured]) -> tuple[Score, ...]:
    """All scores, in the order they were measured."""
    return tuple(score for m in measured for score in m.scored.scores)
