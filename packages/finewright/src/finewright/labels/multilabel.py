"""Several labels a row: calibrated probabilities, a threshold for all labels, sets that hold a stated share.

Probability (Platt 1999): p = sigmoid(a z + b) of each label, fitted to logits of the training rows by fits
that had not seen them (out of fold), with Platt's targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2). Where there
is no such fit, as of a language model, one a and b for all labels: few rows have a rare one.
Threshold: of the same rows the one of best F1, or of least cost, over all labels together, whose
probabilities mean the same. Each label's own best one (Yang 2001, A study of thresholding strategies for text
categorization) fitted chance: with it micro F1 was 1.5 and 3.6 points lower, macro F1 1.3 lower and 0.2
higher, on NLU++ and GoEmotions.
Sets (conformal risk control, Angelopoulos et al. 2022, arXiv:2208.02814): the labels with p >= t, t the
greatest with (sum of shares missed + 1) / (n + 1) <= 1 - coverage over n calibration rows, which nothing else
was fitted to. Of a new row like these the set then misses at most that share of its labels, on average over
rows. Not covered: a coverage for each label by itself."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from finewright.labels.calibration import Floats, thin_out
from finewright.labels.linear import fit_weights, sigmoid_loss
from finewright.schema.decisions import (
    DecisionSpec,
    LabelCounts,
    MultilabelCalibration,
    MultilabelDecision,
)

_FREE = 1e12
"""C of a fit without a penalty."""

Value = Callable[[Floats, Floats, Floats], Floats]
"""(right, wrongly given, missed) -> what they are worth, elementwise."""


def sigmoid(logits: Floats) -> Floats:
    """Without overflow: exp of nothing positive."""
    found: Floats = np.exp(-np.logaddexp(0.0, -logits))
    return found


def fit_platt(logits: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Slopes and offsets, (K,).

    A label whose logits tell nothing of it, or the wrong way round, has its rate for all rows (slope 0)."""
    have = truth.sum(axis=0)
    targets = np.where(truth > 0, (have + 1) / (have + 2), 1 / (len(truth) - have + 2))
    columns = (torch.from_numpy(each) for each in (logits.T, targets.T))
    fits = [
        fit_weights([z[:, None]], t[:, None], 1, c=_FREE, tolerance=1e-9, loss_of=sigmoid_loss)
        for z, t in zip(*columns, strict=True)
    ]
    slopes, offsets = torch.cat([fit.weights for fit in fits], dim=1).numpy()
    rate = targets.mean(axis=0)
    tells = slopes > 0
    return np.where(tells, slopes, 0.0), np.where(tells, offsets, np.log(rate / (1 - rate)))


def value_by(spec: DecisionSpec) -> Value:
    """F1, or the cost by the spec where that states one, negative."""
    if spec.cost_missed is None:
        return lambda right, wrongly, missed: (
            2 * right / np.maximum(2 * right + wrongly + missed, 1)
        )
    missing = spec.cost_missed
    return lambda right, wrongly, missed: -(spec.cost_wrong * wrongly + missing * missed)


def best_threshold(probabilities: Floats, truth: Floats, value: Value) -> float:
    """Halfway between two probabilities, (n,): of equally good ones the highest."""
    order = np.argsort(-probabilities, kind="stable")
    p = np.concatenate([[1.0], probabilities[order], [0.0]])
    right = np.concatenate([[0.0], np.cumsum(truth[order])])
    given = np.arange(len(right))
    values = value(right, given - right, right[-1] - right)
    values[np.flatnonzero(p[:-1] == p[1:])] = -np.inf  # no threshold parts these
    best = int(np.argmax(values))
    return float((p[best] + p[best + 1]) / 2)


def calibrate_multilabel(
    fitted: tuple[Floats, Floats],
    kept_out: tuple[Floats, Floats],
    spec: DecisionSpec,
    *,
    is_pooled: bool = False,
) -> MultilabelCalibration:
    """From (logits, truth) of rows unseen by the fit, and those of other rows, which sets are bound by; truth
    is 0 or 1, (n, K). `is_pooled`: one slope and offset for all labels."""
    logits, truth = fitted
    columns = (-1, 1) if is_pooled else logits.shape
    slope, offset = fit_platt(logits.reshape(columns), truth.reshape(columns))
    slopes, offsets = (np.broadcast_to(each, logits.shape[1]) for each in (slope, offset))
    p = sigmoid(slopes * logits + offsets)
    threshold = best_threshold(p.ravel(), truth.ravel(), value_by(spec))
    logits, truth = kept_out
    p = sigmoid(slopes * logits + offsets)
    return MultilabelCalibration(
        rows=len(truth),
        slopes=tuple(slopes),
        offsets=tuple(offsets),
        thresholds=(threshold,) * len(slopes),
        coverage=spec.coverage,
        set_probability=control_risk(p, truth, spec.coverage),
        cost_wrong=spec.cost_wrong,
        cost_missed=spec.cost_wrong if spec.cost_missed is None else spec.cost_missed,
        cost_ask=spec.cost_ask,
        confidences=tuple(thin_out(np.sort(p.max(axis=1)))),
    )


def control_risk(probabilities: Floats, truth: Floats, coverage: float) -> float:
    """The t of the module's formula."""
    rows, _ = np.nonzero(truth)
    of_truth = probabilities[truth > 0]
    order = np.argsort(of_truth, kind="stable")
    missed = np.cumsum(1 / truth.sum(axis=1)[rows][order])  # with t just above each
    allowed = (1 - coverage) * (len(truth) + 1) - 1
    within = int(np.searchsorted(missed, allowed + 1e-9, side="right"))
    return float(of_truth[order][min(within, len(order) - 1)])


def decide_multilabel(
    logits: Floats, labels: Sequence[str], by: MultilabelCalibration
) -> list[MultilabelDecision]:
    """One decision a row."""
    p = sigmoid(np.array(by.slopes) * logits + np.array(by.offsets))
    given = p >= np.array(by.thresholds)
    costs = np.where(given, by.cost_wrong * (1 - p), by.cost_missed * p).sum(axis=1)
    found = []
    for row, order in enumerate(np.argsort(-p, axis=1, kind="stable")):
        decision = MultilabelDecision(
            labels=tuple(labels[k] for k in order if given[row, k]),
            probabilities={label: round(float(p[row, k]), 6) for k, label in enumerate(labels)},
            set=tuple(labels[k] for k in order if p[row, k] >= by.set_probability),
            unsure=bool(costs[row] > by.cost_ask),
        )
        found.append(decision)
    return found


def as_indicators(rows: Sequence[Sequence[str]], known: Sequence[str]) -> Floats:
    """1 where a row has a label, (n, K); labels that are not known are left out."""
    found = np.zeros((len(rows), len(known)))
    places = {label: k for k, label in enumerate(known)}
    for row, labels in enumerate(rows):
        found[row, [places[label] for label in labels if label in places]] = 1.0
    return found


def count_labels(
    given: NDArray[np.bool_], truth: NDArray[np.bool_], labels: Sequence[str]
) -> tuple[LabelCounts, ...]:
    """Of the labels that rows expect or got, the worst F1 first."""
    right, had, got = ((each).sum(axis=0) for each in (given & truth, truth, given))
    found = (
        LabelCounts(
            label=label,
            rows=int(had[k]),
            right=int(right[k]),
            wrongly=int(got[k] - right[k]),
            f1=float(2 * right[k] / (had[k] + got[k])),
        )
        for k, label in enumerate(labels)
        if had[k] + got[k]
    )
    return tuple(sorted(found, key=lambda each: (each.f1, each.label)))
