"""What the arms must beat where the answers are labels: the base that is told them, and a bag of words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from finewright.compare.asking import SystemAnswers, recorded
from finewright.evaluate.cautions import linear_problems
from finewright.schema.common import Problem
from finewright.schema.evaluate import BASE_WITH_LABELS, LINEAR
from finewright_advice.measure.arms import TEST, ArmAnswers
from finewright_advice.measure.ask import BASE, ArmQuestions
from finewright_advice.measure.assemble import Judge, difference_of
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure_report import Baseline

if TYPE_CHECKING:
    from finewright.evaluate.baselines.label_task import LabelTask


def baselines(
    rows: ExperimentRows, answers: Sequence[ArmAnswers], judge: Judge, asking: ArmQuestions
) -> tuple[Baseline, ...]:
    """Each on the held-out rows, and the arm that solves most minus it; none where answers are no labels."""
    from finewright.evaluate.baselines.label_task import label_task

    task = label_task(rows.train)
    if task is None or not task.suits(rows.test):
        return ()
    solved = {each.arm: judge.criterion.solved(each.given[TEST]) for each in answers}
    best = max(solved, key=lambda arm: sum(solved[arm]))
    systems = (_labels_in_prompt(task.labels, rows, asking), _bag_of_words(task, rows, answers[0]))
    found = []
    for system in systems:
        flags = judge.criterion.solved(system)
        difference = difference_of(best, system.system, judge.difference(solved[best], flags))
        share = judge.criterion.share(flags)
        found.append(Baseline(name=system.system, solved=share, difference=difference))
    return tuple(found)


def cautions(found: Sequence[Baseline], confidence: float) -> Iterator[Problem]:
    """A warning where the best arm is not shown to beat the bag of words."""
    yield from linear_problems([each.difference for each in found], confidence)


def _labels_in_prompt(
    labels: Sequence[str], rows: ExperimentRows, asking: ArmQuestions
) -> SystemAnswers:
    from finewright.evaluate.baselines.label_task import with_labels

    chat = asking.models.chat
    return asking.answers(
        BASE_WITH_LABELS,
        BASE,
        TEST,
        rows.test,
        prepare=lambda row: with_labels(chat, row, labels),
    )


def _bag_of_words(task: "LabelTask", rows: ExperimentRows, like: ArmAnswers) -> SystemAnswers:
    """Its answers to the rows that an arm answered."""
    from finewright.evaluate.baselines.label_task import question_text
    from finewright.evaluate.baselines.linear import fit

    texts = fit(task.questions, task.answers).answers([question_text(row) for row in rows.test])
    said = {
        "system": LINEAR,
        "stopped": True,
        "thoughts": "",
        "calls": (),
        "fault": "",
        "scores": {},
    }
    samples = [
        sample.model_copy(update={**said, "answer": text})
        for sample, text in zip(like.given[TEST].samples, texts, strict=True)
    ]
    return recorded(LINEAR, TEST, samples)
