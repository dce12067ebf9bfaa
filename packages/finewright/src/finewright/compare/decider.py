"""A model of labels answers rows: each answer is a label, with what it says of its own certainty."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING

from finewright.compare.asking import AnsweredBatch, RowAnswer
from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.evaluate.own import score_by_own
from finewright.evaluate.score import AnsweredRow, row_scores
from finewright.evaluate.scorers import label
from finewright.judge.answer import Answer, answer_of
from finewright.judge.calls import due_of
from finewright.labels.calibration import (
    FEWEST_FOR_DRIFT,
    calibration_error,
    compare_confidences,
    threshold_curve,
)
from finewright.labels.rows import label_of
from finewright.schema.common import Problem
from finewright.schema.decisions import (
    DecisionScores,
    DriftTest,
    LabelCalibration,
    LabelConfusion,
    LabelDecision,
    LabelSlice,
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
            answered = [_answered(*pair, settings) for pair in zip(rows, decisions, strict=True)]
            scores = row_scores(settings.metrics, answered)
            samples = map(self._sample, [row_set.name] * len(rows), rows, decisions, scores)
            yield AnsweredBatch(
                batch, [RowAnswer(sample=each, milliseconds=milliseconds) for each in samples]
            )

    def _sample(
        self, data: str, row: Row, decision: LabelDecision, scores: dict[str, float]
    ) -> Sample:
        return Sample(
            system=self.name,
            data=data,
            row=row.row,
            prompt=content_of(row.prompt[-1]) if row.prompt else "",
            expected=label_of(row),
            answer=decision.label,
            stopped=True,
            scores=scores,
            decision=decision,
        )


def _answered(row: Row, decision: LabelDecision, settings: Settings) -> AnsweredRow:
    assert row.answer is not None  # who asks has refused a row that expects nothing
    due = due_of(answer_of(row.answer), row.tools, row.columns)
    known = score_by_own(settings.own, decision.label, row)
    said = Answer(decision.label)
    return AnsweredRow(row.row, label_of(row), decision.label, said=said, due=due, known=known)


def score_decisions(
    measured: Sequence[Measured], calibrations: Callable[[str], LabelCalibration | None]
) -> tuple[DecisionScores, ...]:
    """What the decisions of each system and set are worth, where one of the systems decides."""
    if not any(sample.decision for each in measured for sample in each.samples):
        return ()
    return tuple(_scores(each, calibrations(each.system)) for each in measured if each.samples)


def _scores(measured: Measured, calibration: LabelCalibration | None) -> DecisionScores:
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
    decided = [sample.decision for sample in samples if sample.decision]
    if calibration is None or len(decided) < len(samples):
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


def drift_of(confidences: Sequence[float], calibration: LabelCalibration) -> DriftTest | None:
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


def warn_of_drift(scores: Sequence[DecisionScores]) -> Iterator[Problem]:
    """A warning for each system and set whose confidences are not those of the calibration rows."""
    for each in scores:
        if each.drift and each.drift.alarm:
            yield Problem(
                level="warning",
                message=f"{each.system} on {each.data}: {each.drift.line()}",
                hint="calibration and coverage hold for rows like those; add such rows and train again",
            )
