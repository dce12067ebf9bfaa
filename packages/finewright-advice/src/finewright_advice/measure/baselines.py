"""What the arms must beat where the answers are labels: the base that is told them, and a bag of words.

The trainings of an experiment: ordinary runs on rows that the experiment wrote."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.compare.asking import SystemAnswers, read_answers_of_samples
from finewright.evaluate.arms import gold_of
from finewright.evaluate.cautions import linear_problems
from finewright.schema.common import Problem
from finewright.schema.evaluate import BASE_WITH_LABELS, LINEAR
from finewright.schema.load import LoadedSpec, change_spec
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors, write_text
from finewright.workbench.up import OnEvent, up
from finewright_advice.measure.arms import TEST, ArmAnswers
from finewright_advice.measure.ask import BASE, ArmQuestions
from finewright_advice.measure.assemble import Judge, difference_of
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure_report import Baseline, TrainedArm

if TYPE_CHECKING:
    from finewright.evaluate.baselines.label_task import LabelTask


# What a training keeps of the spec.
_OF_A_TRAINING = {"version", "name", "base_models", "remote_code", "chat_template", "train"}


_LONGEST_NAME = 50


class Trained(NamedTuple):
    """What was trained, and the run's folder."""

    training: TrainedArm
    run: Path


def baselines(
    rows: ExperimentRows, answers: Sequence[ArmAnswers], judge: Judge, asking: ArmQuestions
) -> tuple[Baseline, ...]:
    """Each on the held-out rows, and the arm that solves most minus it; none where answers are no labels."""
    from finewright.evaluate.baselines.label_task import label_task

    task = label_task(rows.train)
    if task is None or not task.suits(rows.test):
        return ()
    solved = {each.arm: judge.criterion.judge_rows(each.given[TEST]) for each in answers}
    best = max(solved, key=lambda arm: sum(solved[arm]))
    systems = (_labels_in_prompt(task.labels, rows, asking), _bag_of_words(task, rows, answers[0]))
    found = []
    for system in systems:
        flags = judge.criterion.judge_rows(system)
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
    from finewright.labels.linear import fit

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
    return read_answers_of_samples(LINEAR, TEST, samples)


def training_spec(loaded: LoadedSpec, rows: Path, *, max_length: int | None = None) -> LoadedSpec:
    """The spec of one training: that of the experiment with other rows, and no other section."""
    name = f"{loaded.spec.name[:_LONGEST_NAME]}-{rows.stem}"
    values = {"name": name, "data": {"sources": [{"path": str(rows.resolve())}]}}
    others = [key for key in loaded.data if key not in _OF_A_TRAINING]
    longer = {} if max_length is None else {"train.max_length": max_length}
    return change_spec(loaded, {**values, **longer}, without=others)


def train(
    loaded: LoadedSpec,
    folder: Path,
    name: str,
    rows: Sequence[Row],
    *,
    max_length: int | None = None,
    on_event: OnEvent,
) -> Trained:
    """Train on the rows, in a run below the folder; a run that was cut goes on, a finished one is taken.

    `max_length` replaces the spec's where prompts hold passages."""
    path = folder / "rows" / f"{name}.jsonl"
    with os_errors(path):
        path.parent.mkdir(exist_ok=True)
    text = "".join(_line(row) for row in rows)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    spec = training_spec(loaded, path, max_length=max_length)
    report = up(spec, folder / "runs", on_event=on_event, through="train")
    assert report.train is not None
    (candidate,) = report.train.candidates
    run = Path(report.summary.run)
    training = TrainedArm(
        run=str(run.relative_to(folder)),
        rows=candidate.counts.rows_kept,
        steps=candidate.steps,
        tokens=candidate.tokens,
        seconds=candidate.seconds,
        max_length=spec.spec.train.max_length,
    )
    return Trained(training, run)


def _line(row: Row) -> str:
    data = {"messages": list(row.messages), "gold": list(gold_of(row))}
    if row.tools:
        data["tools"] = list(row.tools)
    return json.dumps(data, ensure_ascii=False) + "\n"
