"""Scores: a number for each row by ridge regression, with an interval that holds the right one as often as
stated.

Interval (split conformal prediction, Lei et al. 2018, arXiv:1604.04173): score +- q, q the k-th smallest
absolute error among n calibration rows, k = ceil((n + 1) coverage). The score of a new row like these lies
within with at least that probability, whatever the model. All intervals are equally wide: a second
regression, of the errors, made none narrower on rated tweets."""

import numpy as np

from finewright.labels.calibration import Floats, rank_of, thin_out
from finewright.schema.decisions import DecisionSpec, ScoreCalibration, ScoreDecision

_DIGITS = 7
"""Of a score and its interval: the weights are float32, which tell no more."""


def calibrate_scores(
    scores: Floats, truth: Floats, spec: DecisionSpec, mean: float, scale: float
) -> ScoreCalibration:
    """From the standardised scores of the calibration rows and the right ones, (n,)."""
    errors = np.sort(np.abs(truth - scores))
    return ScoreCalibration(
        rows=len(truth),
        mean=mean,
        scale=scale,
        coverage=spec.coverage,
        half_width=scale * float(errors[len(errors) - rank_of(len(errors), spec.coverage)]),
        cutoff=spec.cutoff,
        confidences=tuple(thin_out(np.sort(mean + scale * scores))),
    )


def decide_scores(standardised: Floats, by: ScoreCalibration) -> list[ScoreDecision]:
    """One decision a row."""
    found = []
    for exact in (by.mean + by.scale * standardised).tolist():
        ends = (exact, exact - by.half_width, exact + by.half_width)
        score, low, high = (float(f"{each:.{_DIGITS}g}") for each in ends)
        unsure = None if by.cutoff is None else low <= by.cutoff <= high
        found.append(ScoreDecision(score=score, low=low, high=high, unsure=unsure))
    return found


def spearman(one: Floats, other: Floats) -> float | None:
    """Pearson's correlation of ranks, ties at their mean rank; None where one side is all alike."""
    ranks, others = _ranks(one), _ranks(other)
    if not ranks.std() or not others.std():
        return None
    return float(np.corrcoef(ranks, others)[0, 1])


def _ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return found
