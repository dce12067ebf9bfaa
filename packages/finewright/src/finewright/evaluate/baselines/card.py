"""What a score card of labels has beside the models: a linear classifier, and answers that name no label."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.baselines.label_task import LabelTask, question_text
from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.evaluate.own import score_by_own
from finewright.evaluate.score import PREFERENCE, score_answers
from finewright.judge.answer import Answer
from finewright.judge.statistics import wilson
from finewright.labels.linear import BagOfWords, fit
from finewright.schema.evaluate import LINEAR, LOSS_METRICS, LinearFit, Sample, StrayAnswers

_OF_MODELS = (*LOSS_METRICS, PREFERENCE)


class LabelCard(NamedTuple):
    """The classifier as a system of the card, and what it was learned from; empty without labels."""

    measured: tuple[Measured, ...]
    fit: LinearFit | None


def label_card(
    task: LabelTask | None,
    row_sets: Sequence[RowSet],
    measured: Sequence[Measured],
    settings: Settings,
) -> LabelCard:
    """The classifier that the training rows teach, on every set that asks for their labels.

    It is scored as the models are, by the metrics that are of answers alone; not made where there is none."""
    if task is None:
        return LabelCard((), None)
    metrics = [metric for metric in settings.metrics if metric not in _OF_MODELS]
    suitable = [rows for rows in row_sets if task.suits(rows.rows)]
    if not (suitable and metrics):
        return LabelCard((), None)
    classifier = fit(task.questions, task.answers)
    by_set = {each.data: each for each in measured}
    found = (
        _classify(classifier, rows, by_set[rows.name], replace(settings, metrics=tuple(metrics)))
        for rows in suitable
    )
    return LabelCard(tuple(found), _describe_fit(classifier))


def _describe_fit(classifier: BagOfWords) -> LinearFit:
    return LinearFit(
        rows=classifier.num_rows,
        features=len(classifier.words.places),
        labels=len(classifier.labels),
        seconds=classifier.seconds,
    )


def strays(
    task: LabelTask, row_sets: Sequence[RowSet], measured: Sequence[Measured], confidence: float
) -> Iterator[StrayAnswers]:
    """For each system and set of the task how many answers name no label."""
    suitable = {rows.name for rows in row_sets if task.suits(rows.rows)}
    for each in measured:
        if each.data in suitable:
            count = sum(not task.is_label(sample.answer) for sample in each.samples)
            low, high = wilson(count, len(each.samples), confidence=confidence)
            counted = {"count": count, "n": len(each.samples), "low": low, "high": high}
            yield StrayAnswers.model_validate({"system": each.system, "data": each.data, **counted})


def _classify(
    classifier: BagOfWords, row_set: RowSet, like: Measured, settings: Settings
) -> Measured:
    """Its answers to the rows that `like` answered."""
    texts = classifier.answers([question_text(row) for row in row_set.rows])
    answered = [
        AnsweredRow(
            each.row,
            each.expected,
            text,
            said=Answer(text),
            due=each.due,
            known=score_by_own(settings.own, text, row),
        )
        for each, text, row in zip(like.scored.answers, texts, row_set.rows, strict=True)
    ]
    scored = score_answers(LINEAR, row_set.name, settings.metrics, answered, settings.options)
    samples = tuple(
        Sample(
            system=LINEAR,
            data=sample.data,
            row=sample.row,
            prompt=sample.prompt,
            expected=sample.expected,
            answer=text,
            stopped=True,
            scores=scores,
            expected_calls=sample.expected_calls,
        )
        for sample, text, scores in zip(like.samples, texts, scored.per_row, strict=True)
    )
    return Measured(LINEAR, row_set.name, scored, samples)
