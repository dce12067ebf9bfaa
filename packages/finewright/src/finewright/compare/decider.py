"""A model that decides answers rows: with a label, several or a score, and what it says of its certainty."""

import json
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from finewright.compare.asking import AnsweredBatch, RowAnswer
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.evaluate.own import score_by_own
from finewright.evaluate.score import row_scores
from finewright.evaluate.scorers import label
from finewright.judge.answer import Answer, answer_of
from finewright.judge.calls import due_of
from finewright.labels.calibration import (
    FEWEST_FOR_DRIFT,
    calibration_error,
    compare_confidences,
    threshold_curve,
)
from finewright.labels.multilabel import as_indicators, count_labels
from finewright.labels.rows import expected_answer
from finewright.labels.scores import spearman
from finewright.schema.common import Problem
from finewright.schema.decisions import (
    Calibration,
    Decision,
    DecisionFigures,
    DecisionKind,
    DecisionScores,
    DriftTest,
    LabelCalibration,
    LabelConfusion,
    LabelDecision,
    LabelSlice,
    MultilabelCalibration,
    ScoreCalibration,
)
from finewright.schema.evaluate import Sample
from finewright.schema.rows import Row, content_of

if TYPE_CHECKING:
    from finewright.labels.decider import Decider

_ROWS_AT_ONCE = 256  # what embedders take in a few batches; progress is told after each
_MOST_CONFUSIONS = 20


@dataclass(frozen=True, slots=True)
class DecidingSystem:
    """A decider as a system of a score card."""

    name: str
    key: str
    decider: "Decider"

    def answers(
        self, row_set: RowSet, settings: Settings, missing: Set[int]
    ) -> Iterator[AnsweredBatch]:
        """Of the rows at these places."""
        places = iter(sorted(missing))
        while batch := list(islice(places, _ROWS_AT_ONCE)):
            rows = [row_set.rows[i] for i in batch]
            started = perf_counter()
            decisions = self.decider.decide(rows)
            milliseconds = round(1000 * (perf_counter() - started) / len(rows), 3)
            both = zip(rows, decisions, strict=True)
            answered = [_answered(*pair, settings, self.decider.kind) for pair in both]
            scores = row_scores(settings.metrics, answered)
            samples = map(self._sample, [row_set.name] * len(rows), rows, decisions, scores)
            yield AnsweredBatch(
                batch, [RowAnswer(sample=each, milliseconds=milliseconds) for each in samples]
            )

    def _sample(self, data: str, row: Row, decision: Decision, scores: dict[str, float]) -> Sample:
        return Sample(
            system=self.name,
            data=data,
            row=row.row,
            prompt=content_of(row.prompt[-1]) if row.prompt else "",
            expected=expected_answer(row, self.decider.kind),
            answer=decision.answer,
            stopped=True,
            scores=scores,
            decision=decision,
        )


def _answered(row: Row, decision: Decision, settings: Settings, kind: DecisionKind) -> AnsweredRow:
    assert row.answer is not None  # who asks has refused a row that expects nothing
    due = due_of(answer_of(row.answer), row.tools, row.columns)
    known = score_by_own(settings.own, decision.answer, row)
    said, expected = Answer(decision.answer), expected_answer(row, kind)
    return AnsweredRow(row.row, expected, decision.answer, said=said, due=due, known=known)


Calibrations = Callable[[str], Calibration | None]


def score_decisions(
    measured: Sequence[Measured], calibrations: Calibrations
) -> tuple[DecisionScores, ...]:
    """What the decisions of each system and set are worth, where one of the systems gives single labels."""
    if not any(isinstance(s.decision, LabelDecision) for each in measured for s in each.samples):
        return ()
    return tuple(_scores(each, calibrations(each.system)) for each in measured if each.samples)


def score_figures(
    measured: Sequence[Measured], calibrations: Calibrations
) -> tuple[DecisionFigures, ...]:
    """The same of the systems that give several labels, or scores."""
    found = []
    for each in measured:
        by = calibrations(each.system)
        if each.samples and isinstance(by, MultilabelCalibration | ScoreCalibration):
            of_kind = _of_labels if isinstance(by, MultilabelCalibration) else _of_scores
            decided = [sample.decision for sample in each.samples if sample.decision]
            expected = [json.loads(sample.expected) for sample in each.samples]
            unsure = [decision.unsure for decision in decided if decision.unsure is not None]
            figures = DecisionFigures(
                system=each.system,
                data=each.data,
                rows=len(decided),
                stated_coverage=by.coverage,
                unsure=sum(unsure) if unsure else None,
                drift=drift_of([decision.watched for decision in decided], by),
                **of_kind(decided, expected, by),
            )
            found.append(figures)
    return tuple(found)


def _of_labels(decided: Sequence[Any], expected: Sequence[list[str]], _: Any) -> dict[str, Any]:
    """Fields of DecisionFigures; Any: decisions of several labels."""
    labels = sorted({*decided[0].probabilities, *(label for each in expected for label in each)})
    truth = as_indicators(expected, labels) > 0
    given = as_indicators([each.labels for each in decided], labels) > 0
    said = [each.probabilities.get(label, 0.0) for each in decided for label in labels]
    counts = count_labels(given, truth, labels)
    f1 = [each.f1 for each in counts if each.rows]
    held = [
        sum(label in decision.set for label in each) / len(each) if each else 1.0
        for decision, each in zip(decided, expected, strict=True)
    ]
    figures = {
        "subset_accuracy": float((given == truth).all(axis=1).mean()),
        "micro_f1": 2 * float((given & truth).sum()) / max(1.0, float(truth.sum() + given.sum())),
        "macro_f1": sum(f1) / max(1, len(f1)),
        "calibration_error": calibration_error(said, truth.ravel().tolist()),
    }
    size = sum(len(each.set) for each in decided) / len(decided)
    return {"figures": figures, "coverage": fmean(held), "size": size, "labels": counts}


def _of_scores(decided: Sequence[Any], expected: Sequence[float], by: Any) -> dict[str, Any]:
    """Fields of DecisionFigures; Any: decisions with a score, and their calibration."""
    score, right = np.array([each.score for each in decided]), np.array(expected)
    off = np.abs(score - right)
    figures = {
        "mae": float(off.mean()),
        "mae_of_mean": float(np.abs(by.mean - right).mean()),
        "rmse": float(np.sqrt(np.square(off).mean())),
    }
    if (correlation := spearman(score, right)) is not None:
        figures["spearman"] = correlation
    inside = [d.low <= at <= d.high for d, at in zip(decided, expected, strict=True)]
    return {"figures": figures, "coverage": fmean(inside), "size": 2 * by.half_width}


def _scores(measured: Measured, calibration: Calibration | None) -> DecisionScores:
    samples = measured.samples
    right = [label(sample.answer) == label(sample.expected) for sample in samples]
    found = DecisionScores(
        system=measured.system,
        data=measured.data,
        rows=len(samples),
        accuracy=sum(right) / len(samples),
        confusions=_confusions(samples, right),
        labels=_slices(samples, right),
    )
    decided = [s.decision for s in samples if isinstance(s.decision, LabelDecision)]
    if not isinstance(calibration, LabelCalibration) or len(decided) < len(samples):
        return found
    said = [decision.confidence for decision in decided]
    sure = [ok for ok, decision in zip(right, decided, strict=True) if not decision.unsure]
    pairs = zip(samples, decided, strict=True)
    return found.model_copy(
        update={
            "calibration_error": calibration_error(said, right),
            "stated_coverage": calibration.coverage,
            "coverage": sum(s.expected in d.set for s, d in pairs) / len(samples),
            "set_size": sum(len(d.set) for d in decided) / len(samples),
            "empty_sets": sum(not d.set for d in decided),
            "unsure": len(decided) - len(sure),
            "accuracy_when_sure": sum(sure) / len(sure) if sure else None,
            "threshold": calibration.threshold,
            "curve": threshold_curve(said, right),
            "drift": drift_of(said, calibration),
        }
    )


def drift_of(confidences: Sequence[float], calibration: Calibration) -> DriftTest | None:
    """Are they those of rows like the calibration's; None of too few to tell."""
    if min(len(confidences), len(calibration.confidences)) < FEWEST_FOR_DRIFT:
        return None
    return compare_confidences(confidences, calibration.confidences)


def _confusions(samples: Sequence[Sample], right: Sequence[bool]) -> tuple[LabelConfusion, ...]:
    """The commonest pairs of an expected label and another answer, the worst first."""
    counts: dict[tuple[str, str], int] = {}
    for sample, is_right in zip(samples, right, strict=True):
        if not is_right:
            pair = (sample.expected, sample.answer)
            counts[pair] = counts.get(pair, 0) + 1
    worst = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_CONFUSIONS]
    return tuple(LabelConfusion(expected=e, answered=a, count=n) for (e, a), n in worst)


def _slices(samples: Sequence[Sample], right: Sequence[bool]) -> tuple[LabelSlice, ...]:
    """Each expected label's rows, the lowest share of right ones first."""
    names = {label(sample.expected): sample.expected for sample in reversed(samples)}
    rows, hits, wrongly = (dict.fromkeys(names, 0) for _ in range(3))
    for sample, is_right in zip(samples, right, strict=True):
        rows[label(sample.expected)] += 1
        hits[label(sample.expected)] += is_right
        if not is_right and label(sample.answer) in wrongly:
            wrongly[label(sample.answer)] += 1
    order = sorted(names, key=lambda each: (hits[each] / rows[each], names[each]))
    return tuple(
        LabelSlice(label=names[k], rows=rows[k], right=hits[k], wrongly=wrongly[k]) for k in order
    )


def warn_of_drift(
    scores: Sequence[DecisionScores | DecisionFigures],
) -> Iterator[Problem]:
    """A warning for each system and set whose confidences are not those of the calibration rows."""
    for each in scores:
        if each.drift and each.drift.alarm:
            yield Problem(
                level="warning",
                message=f"{each.system} on {each.data}: {each.drift.line()}",
                hint="calibration and coverage hold for rows like those; add such rows and train again",
            )
