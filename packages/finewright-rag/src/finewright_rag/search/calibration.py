"""When a search should say that no document has this: learned from questions that documents answer and from
questions of everyday life that they do not."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from finewright_rag.search.coverage import PassageEvidence
    from finewright_rag.stores.index import About

VERSION = 1

REFUSED = 0.05
"""The share of the answerable questions of the calibration that are refused: the usual level."""

CAUGHT = 0.975
"""The share of foreign questions that is enough: more would cost answerable ones that are unlike the made."""

_RIDGE = 1e-3
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line through evidence: `intercept + cosine * ... + coverage * ...` are log-odds, and below `least` no
    document is taken to have the answer.

    `refused` and `caught` are the shares of the answerable and of the foreign questions below it, of those
    that chose it; how many answerable ones there were is `num_questions`. `tuned_on` are digests of the
    user's own questions that chose weights and line."""

    intercept: float
    cosine: float
    coverage: float
    least: float
    refused: float
    caught: float
    num_questions: int
    tuned_on: tuple[str, ...] = ()

    def log_odds(self, evidence: PassageEvidence) -> float:
        """Of there being an answer, by this evidence."""
        cosine = self.cosine * (evidence.cosine or 0.0)
        return self.intercept + cosine + self.coverage * evidence.coverage

    def has_answer(self, evidence: PassageEvidence) -> bool:
        """Whether it is as likely that a document has this as of 19 in 20 of the questions that are
        answerable."""
        return self.log_odds(evidence) >= self.least


def json_of_tuning(
    other_weights: Mapping[str, float] | None, calibration: Calibration | None
) -> str:
    """What an index keeps beside its weights, as text."""
    found = None
    if calibration:
        found = {**asdict(calibration), "tuned_on": list(calibration.tuned_on)}
    other = dict(other_weights) if other_weights else None
    return json.dumps({"version": VERSION, "other_weights": other, "calibration": found})


def with_tuned(about: About, found: object) -> About:
    """What `json_of_tuning` gave, back in; an index without it, or with another version's, has neither."""
    tuned = json.loads(found) if found and isinstance(found, str) else {}
    if tuned.get("version") != VERSION:
        return about
    line = tuned["calibration"]
    if line:
        line = Calibration(**{**line, "tuned_on": tuple(line["tuned_on"])})
    return replace(about, other_weights=tuned["other_weights"], calibration=line, is_tuned=True)


def restore_tuning(
    about: About,
    weights: Mapping[str, float],
    other_weights: Mapping[str, float] | None,
    calibration: Calibration | None,
) -> About:
    """What an index says of itself after `Index.remember`."""
    other = dict(other_weights) if other_weights else None
    return replace(
        about,
        weights=dict(weights),
        other_weights=other,
        calibration=calibration,
        is_tuned=True,
    )


def calibrate(
    answerable: Sequence[PassageEvidence],
    foreign: Sequence[PassageEvidence],
    *,
    tuned_on: Sequence[str] = (),
) -> Calibration:
    """Log-odds by logistic regression, both kinds of questions weighing the same, then a threshold.

    It refuses at most 5 % of the answerable, a quantile of theirs as in split conformal prediction (Vovk,
    Gammerman & Shafer 2005), here on the questions that the line was fitted to, as its three numbers cannot
    learn them by heart; and fewer where more than 97.5 % of the foreign are below it all the same.

    More cosine or coverage never speaks against an answer. Holds for questions like the answerable ones."""
    import numpy as np

    kinds = [np.array([_features_of(each) for each in group]) for group in (answerable, foreign)]
    intercept, slopes = _fit(*kinds)
    known, strange = (intercept + kind @ slopes for kind in kinds)
    least = _threshold(np.sort(known)[int(REFUSED * len(known))], np.quantile(strange, CAUGHT))
    return Calibration(
        intercept=intercept,
        cosine=float(slopes[0]),
        coverage=float(slopes[1]),
        least=least,
        refused=float(np.mean(known < least)),
        caught=float(np.mean(strange < least)),
        num_questions=len(known),
        tuned_on=tuple(tuned_on),
    )


def _threshold(answerable: float, foreign: float) -> float:
    """The bound of the answerable, or where that of the foreign lies below it, a quarter of the way up: what
    people ask is less like the documents than what is made of them."""
    return float(min(answerable, foreign + (answerable - foreign) / 4))


def _features_of(evidence: PassageEvidence) -> tuple[float, float]:
    return (evidence.cosine or 0.0, evidence.coverage)


def _fit(
    ones: NDArray[np.float64], zeros: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Intercept and slopes of a logistic regression with a small ridge; a slope below 0 is left out."""
    import numpy as np

    rows = np.concatenate([ones, zeros])
    mean, scale = rows.mean(0), rows.std(0) + 1e-9
    is_used = np.ones(rows.shape[1], bool)
    while True:
        solved = _newton(np.where(is_used, (rows - mean) / scale, 0.0), len(ones))
        slopes = solved[1:] / scale
        if (slopes >= 0).all():
            return float(solved[0] - slopes @ mean), slopes
        is_used &= slopes >= 0


def _newton(rows: NDArray[np.float64], num_ones: int) -> NDArray[np.float64]:
    import numpy as np

    design = np.c_[np.ones(len(rows)), rows]
    is_one = np.arange(len(rows)) < num_ones
    weight = np.where(is_one, 0.5 / num_ones, 0.5 / max(len(rows) - num_ones, 1))
    solved = np.zeros(design.shape[1])
    ridge = _RIDGE * np.eye(design.shape[1])
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-np.clip(design @ solved, -30, 30)))
        slope = design.T @ (weight * (is_one - share)) - ridge @ solved
        curve = (design.T * (weight * share * (1 - share))) @ design + ridge
        solved += np.linalg.solve(curve, slope)
    return solved
