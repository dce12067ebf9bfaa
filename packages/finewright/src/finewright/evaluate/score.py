"""From answers to scores with intervals, and to paired differences between two systems."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError, StageError, UnknownPlugin, suggest
from finewright.evaluate.losses import LOSSES, loss_of
from finewright.evaluate.own import WITHOUT_ROW
from finewright.evaluate.scorers import LabelCodes, label_codes, macro_f1_of_codes
from finewright.judge.answer import Answer
from finewright.judge.calls import AnswerScorer, Due
from finewright.judge.macro_bounds import Truth, macro_f1_difference, macro_f1_interval
from finewright.judge.statistics import (
    PairedDifference,
    bootstrap_statistic,
    compare_pairs,
    compare_statistic,
    mean_interval,
)
from finewright.plugins import resolve
from finewright.schema.common import Problem
from finewright.schema.evaluate import LOSS_METRICS, OWN, Difference, EvaluateSpec, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from finewright.evaluate.answered import AnsweredRow
    from finewright.judge.statistics import Indices, Statistic

_MACRO_F1 = "macro_f1"
PREFERENCE = "preference_accuracy"
"""The share of preference pairs whose chosen answer the system rates higher."""
TextScorer = Callable[[str, str], float]
"""(answer, expected) -> a score in [0, 1]."""
RowScorer = TextScorer | AnswerScorer
"""What gives one row its score, from the texts or from the whole answer."""


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How intervals and p-values are made; the fields of EvaluateSpec of the same names."""

    confidence: float
    resamples: int
    seed: int


def options_of(spec: EvaluateSpec) -> ScoreOptions:
    """As the spec says."""
    return ScoreOptions(spec.confidence, spec.resamples, spec.seed)


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """One system on one data set: a score per metric, and what each row contributes.

    A row has no `macro_f1`, which is of the whole set, and no `perplexity` without tokens."""

    scores: list[Score]
    per_row: list[dict[str, float]]
    answers: tuple[AnsweredRow, ...]


class _CodedAnswers(NamedTuple):
    """The labels that were answered, as numbers, and the right ones."""

    answers: NDArray[np.intp]
    truth: Truth


class _Estimate(NamedTuple):
    value: float
    low: float
    high: float
    n: int


def check_metrics(names: Sequence[str]) -> None:
    """Raise UnknownPlugin for the first name that is no metric; call it before any model runs."""
    for name in names:
        if name not in _CORPUS and name != PREFERENCE:
            row_scorer(name)


def row_scorer(name: str) -> RowScorer:
    """The scorer of a metric name: `token_f1`, or `json_field:intent` for one with an argument.

    Raises UnknownPlugin, also for an argument that is missing or not taken."""
    if name.startswith(OWN):
        return WITHOUT_ROW
    base, colon, argument = name.partition(":")
    if base in _CORPUS:
        raise UnknownPlugin(f"{base} takes no argument: {name!r}", hint=f"write {base}")
    try:
        target = resolve("scorer", base)
    except UnknownPlugin as unknown:
        names = [name for name in (PREFERENCE, *_CORPUS) if name not in unknown.hint]
        hint = suggest(base, names, unknown.hint)
        if hint.startswith("use"):
            hint = f"{hint}, {', '.join(names)}"
        raise UnknownPlugin(str(unknown), hint=hint) from None
    if not isinstance(target, type):
        if colon:
            raise UnknownPlugin(f"{base} takes no argument: {name!r}", hint=f"write {base}")
        scorer: RowScorer = target
        return scorer
    if not argument:
        raise UnknownPlugin(f"{base} needs an argument", hint=f"write {base}:NAME")
    made: RowScorer = target(argument)
    return made


def is_known(metric: str) -> bool:
    """Whether it is the name of a metric."""
    try:
        check_metrics([metric])
    except UnknownPlugin:
        return False
    return True


def scores_answers(metric: str) -> bool:
    """Whether it is a metric of whole answers or rows, rather than of texts."""
    return _answer_scorer(metric) is not None


def column_of(metric: str) -> str:
    """The column of a row that a metric reads beside the answer; empty where it needs none."""
    scorer = _answer_scorer(metric)
    return scorer.column if scorer else ""


def find_speechless(metric: str, name: str, due: Sequence[Due]) -> Problem | None:
    """What is wrong where a metric has nothing to say of any row of a set, if it has rows."""
    scorer = None if metric.startswith(OWN) else _answer_scorer(metric)
    if scorer is None or not due:
        return None
    if any(scorer.score(Answer(""), each) is not None for each in due):
        return None
    why, hint = "expects a call", "measure it on rows that expect none; tool_calls is of every row"
    if scorer.column:
        why, hint = f"is without text in its column {scorer.column!r}", "give the rows that column"
    message = f"{metric} says nothing of {name}: each of its {len(due)} rows {why}"
    return Problem(level="error", key="evaluate.metrics", message=message, hint=hint)


def _answer_scorer(metric: str) -> AnswerScorer | None:
    """The scorer of a metric of whole answers or rows; None for one of texts or of whole sets."""
    scorer = None if metric in _CORPUS or metric == PREFERENCE else row_scorer(metric)
    return scorer if isinstance(scorer, AnswerScorer) else None


def score_answers(
    system: str,
    data: str,
    metrics: Sequence[str],
    answers: Sequence[AnsweredRow],
    options: ScoreOptions,
) -> ScoredSet:
    """Every metric over the answers, in the order of `metrics`.

    Raises UnknownPlugin before it scores anything, DataError without rows or tokens, StageError if
    a scorer leaves [0, 1], or a row has no finite loss or rating where one is asked for."""
    check_metrics(metrics)
    if not answers:
        raise DataError(f"{data}: no rows to score")
    per_row = row_scores(metrics, answers)
    scores = []
    for metric in metrics:
        estimate = _estimate(metric, per_row, answers, options)
        scores.append(Score(system=system, data=data, metric=metric, **estimate._asdict()))
    return ScoredSet(scores, per_row, tuple(answers))


def row_scores(metrics: Sequence[str], answers: Sequence[AnsweredRow]) -> list[dict[str, float]]:
    """What each row contributes to the metrics that are of rows. Raises as `score_answers`."""
    per_row: list[dict[str, float]] = [{} for _ in answers]
    for metric in metrics:
        _add_row_values(per_row, metric, answers)
    return per_row


def part_of(scored: ScoredSet, places: Sequence[int], options: ScoreOptions) -> ScoredSet:
    """The scores of some of the rows alone, by their places; at least one."""
    per_row = [scored.per_row[i] for i in places]
    answers = tuple(scored.answers[i] for i in places)
    scores = [
        score.model_copy(update=_estimate(score.metric, per_row, answers, options)._asdict())
        for score in scored.scores
        if score.metric in _CORPUS or any(score.metric in row for row in per_row)
    ]
    return ScoredSet(scores, per_row, answers)


def alike_metrics(scored: ScoredSet, against: ScoredSet) -> tuple[ScoredSet, ScoredSet]:
    """Both with the scores alone of the metrics that both have."""
    both = {s.metric for s in scored.scores} & {s.metric for s in against.scores}
    one, other = (
        replace(s, scores=[x for x in s.scores if x.metric in both]) for s in (scored, against)
    )
    return one, other


def compare(scored: ScoredSet, against: ScoredSet, options: ScoreOptions) -> list[Difference]:
    """`scored` minus `against`, metric by metric, paired by row.

    Raises ValueError unless both answered the same rows of one data set for the same metrics."""
    _require_same_rows(scored, against)
    return [
        Difference(
            system=ours.system,
            against=theirs.system,
            data=ours.data,
            metric=ours.metric,
            **_compare_scores(ours.metric, scored, against, options)._asdict(),
        )
        for ours, theirs in zip(scored.scores, against.scores, strict=True)
    ]


def _add_row_values(
    per_row: list[dict[str, float]], metric: str, answers: Sequence[AnsweredRow]
) -> None:
    value_of = _OF_A_ROW.get(metric) or partial(_score_row, metric, row_scorer(metric))
    for scores, answered in zip(per_row, answers, strict=True):
        value = value_of(answered)
        if value is not None:
            scores[metric] = value


def _score_row(metric: str, scorer: RowScorer, answered: AnsweredRow) -> float | None:
    if metric in answered.known:
        return answered.known[metric]
    if isinstance(scorer, AnswerScorer):
        due = answered.due or Due(Answer(answered.expected))
        found = scorer.score(answered.said or Answer(answered.answer), due)
        if found is None:
            return None
        value = float(found)
    else:
        value = float(scorer(answered.answer, answered.expected))
    if not 0.0 <= value <= 1.0:
        raise StageError(
            f"scorer {metric} gave {value} for row {answered.row}", hint="a score is in [0, 1]"
        )
    return value


def _estimate(
    metric: str,
    per_row: Sequence[dict[str, float]],
    answers: Sequence[AnsweredRow],
    options: ScoreOptions,
) -> _Estimate:
    import numpy as np

    if metric not in _CORPUS:
        values = [row[metric] for row in per_row if metric in row]
        if not values:
            raise DataError(f"{metric} says nothing of any row")
        low, high = mean_interval(values, **asdict(options))
        return _Estimate(math.fsum(values) / len(values), low, high, len(values))
    counted = [answered for answered in answers if _counts(metric, answered)]
    if not counted:
        raise DataError(f"no row has a token to take the {metric} of")
    statistic = _CORPUS[metric](counted)
    if metric == _MACRO_F1:
        answers_given, truth = _codes(counted)
        low, high = macro_f1_interval(answers_given, truth, **asdict(options))
    else:
        low, high = bootstrap_statistic(len(counted), statistic, **asdict(options))
    return _Estimate(statistic(np.arange(len(counted))), low, high, len(counted))


def _compare_scores(
    metric: str, scored: ScoredSet, against: ScoredSet, options: ScoreOptions
) -> PairedDifference:
    if metric not in _CORPUS:
        rows = zip(scored.per_row, against.per_row, strict=True)
        both = [(a[metric], b[metric]) for a, b in rows if metric in a and metric in b]
        ours, theirs = [a for a, _ in both], [b for _, b in both]
        return compare_pairs(ours, theirs, **asdict(options))
    pairs = [
        pair
        for pair in zip(scored.answers, against.answers, strict=True)
        if all(_counts(metric, answered) for answered in pair)
    ]
    pooled = [ours for ours, _ in pairs] + [theirs for _, theirs in pairs]
    apart = [i for i, (a, b) in enumerate(pairs) if _value_of(metric, a) != _value_of(metric, b)]
    found = compare_statistic(len(pairs), _CORPUS[metric](pooled), apart=apart, **asdict(options))
    if metric != _MACRO_F1:
        return found
    codes, (expected, num_labels) = _codes(pooled)
    truth = Truth(expected[: len(pairs)], num_labels)
    sides = codes[: len(pairs)], codes[len(pairs) :]
    low, high = macro_f1_difference(*sides, truth, **asdict(options))
    return found._replace(low=low, high=high)


def _require_same_rows(scored: ScoredSet, against: ScoredSet) -> None:
    for what, ours, theirs in (
        ("rows", _row_keys(scored), _row_keys(against)),
        ("metrics", _metric_keys(scored), _metric_keys(against)),
    ):
        if ours != theirs:
            raise ValueError(f"a paired comparison needs the same {what} on both sides")


def _row_keys(scored: ScoredSet) -> list[tuple[int, str]]:
    return [(answered.row, answered.expected) for answered in scored.answers]


def _metric_keys(scored: ScoredSet) -> list[tuple[str, str]]:
    return [(score.data, score.metric) for score in scored.scores]


def _counts(metric: str, answered: AnsweredRow) -> bool:
    """A row without tokens has no perplexity and would only make a resample undefined."""
    return metric not in LOSS_METRICS or loss_of(answered)[1] > 0


def _value_of(metric: str, answered: AnsweredRow) -> object:
    """What a row adds to the metric of a set, beside its right answer."""
    return loss_of(answered) if metric in LOSS_METRICS else answered.answer


def _preference_of(answered: AnsweredRow) -> float:
    assert answered.preferred is not None  # whoever asks for it has made it
    if not math.isfinite(answered.preferred):
        raise StageError(
            f"{PREFERENCE}: row {answered.row} has no finite rating",
            hint="look at the run's loss: a model that diverged has none",
        )
    return answered.preferred


def _codes(answers: Sequence[AnsweredRow]) -> _CodedAnswers:
    codes = label_codes([a.answer for a in answers], [a.expected for a in answers])
    return _CodedAnswers(codes.answers, Truth(codes.expected, codes.num_labels))


def _macro_f1_statistic(answers: Sequence[AnsweredRow]) -> Statistic:
    codes = label_codes([a.answer for a in answers], [a.expected for a in answers])

    def statistic(rows: Indices) -> float:
        picked = LabelCodes(codes.answers[rows], codes.expected[rows], codes.num_labels)
        return macro_f1_of_codes(picked)

    return statistic


_CORPUS: dict[str, Callable[[Sequence[AnsweredRow]], Statistic]] = {
    _MACRO_F1: _macro_f1_statistic,
    **{name: loss.statistic for name, loss in LOSSES.items()},
}
_OF_A_ROW: Mapping[str, Callable[[AnsweredRow], float | None]] = {
    _MACRO_F1: lambda _: None,
    **{name: loss.of_row for name, loss in LOSSES.items()},
    PREFERENCE: _preference_of,
}
CORPUS_METRICS = frozenset(_CORPUS)
"""The metrics of a whole set, which a row has none of."""
