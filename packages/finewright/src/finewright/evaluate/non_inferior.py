"""How much worse one system can be than another: one-sided lower bounds of paired differences.

A system is non-inferior when the bound of (it - the other), on the same rows, is above a margin that was
stated beforehand (Blackwelder 1982, "Proving the null hypothesis in clinical trials")."""

from collections.abc import Sequence
from dataclasses import replace

from finewright.evaluate.score import CORPUS_METRICS, ScoredSet, ScoreOptions, compare
from finewright.judge.statistics import mean_difference_at_least


def lower_bounds(new: ScoredSet, old: ScoredSet, options: ScoreOptions) -> list[float]:
    """The one-sided lower bound of new minus old at `options.confidence`, score by score.

    Of a metric of rows it is Gaffke's (`judge.bounds.mean_at_least`), which resampling undercuts where few
    rows lose much (benchmarks/parity.py measures both); of macro F1, which is none of rows, the lower end of
    the two-sided interval at 2c - 1 (`judge.macro_bounds`). Raises ValueError unless both answered the same
    rows for the same metrics."""
    resampled = compare(new, old, replace(options, confidence=2 * options.confidence - 1))
    return [
        difference.low
        if difference.metric in CORPUS_METRICS
        else _bound(both_scores(difference.metric, new, old), options)
        for difference in resampled
    ]


def both_scores(metric: str, new: ScoredSet, old: ScoredSet) -> list[tuple[float, float]]:
    """Both scores of each row that has the metric: one of calls says nothing of a row without any."""
    rows = zip(new.per_row, old.per_row, strict=True)
    return [(n[metric], o[metric]) for n, o in rows if metric in n and metric in o]


def _bound(both: Sequence[tuple[float, float]], options: ScoreOptions) -> float:
    return mean_difference_at_least(
        [pair[0] for pair in both],
        [pair[1] for pair in both],
        confidence=options.confidence,
        resamples=options.resamples,
        seed=options.seed,
    )
