"""Which settings of a search are the best, and whether rows that chose nothing show it."""

from collections.abc import Iterable

from finewright.report.cells import p_words, points
from finewright_advice.compare.comparison import Comparison, describe_score
from finewright_advice.tune.results import Trial


def best_trial(trials: Iterable[Trial]) -> Trial:
    """The best of those that finished: by score, then by held-out loss, then the earlier one."""
    return max((trial for trial in trials if trial.score), key=_rank)


def _rank(trial: Trial) -> tuple[float, float, int]:
    assert trial.score is not None
    return trial.score.value, -(trial.loss or 0.0), -trial.number


def verdict(number: int, last: Comparison) -> str:
    """What the rows that chose nothing say of the best trial, the first system, against the settings as
    written, the second; alone it is these settings.

    The best of many trials looks better than it is on the rows that chose it, and so these do not count."""
    best, *others = last.systems
    said = describe_score(last.score(best))
    if not others:
        return f"No setting that was tried beats those as written on the development rows: {said}."
    difference = last.difference(best, others[0])
    gap = f"{points(difference)}, {p_words(difference.p_value)}"
    if difference.p_value <= last.level and difference.value > 0:
        return (
            f"Trial {number} wins: {said} on rows that chose nothing, {gap}, against the settings"
            " as written."
        )
    return (
        f"Trial {number} is the best on the development rows, but rows that chose nothing show no"
        f" significant difference from the settings as written: {said}, {gap}."
    )
