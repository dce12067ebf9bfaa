"""What a language model that decides is trained and calibrated on, and how its result becomes a decider."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finewright.schema.common import Problem, errors_of
from finewright.schema.label_methods import LABEL_COLUMN, DecidingSettings
from finewright.schema.rows import Row, system_prompt_in
from finewright.schema.train import TrainSettings

if TYPE_CHECKING:
    from finewright.labels.targets import LabelTargets


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """What is fitted to, the rows that train as the method learns them, and those that calibrate."""

    targets: "LabelTargets"
    train: list[Row]
    calibration: list[Row]
    system_prompt: str


def part_labelled(
    rows: Sequence[Row], spec: TrainSettings
) -> tuple[LabelledRows | None, list[Problem]]:
    """The rows parted as `part_answers` does it, for a method that decides, and what is wrong with them; with
    an error nothing is parted."""
    if not isinstance(spec, DecidingSettings):
        return None, []
    from finewright.labels.rows import check_label_rows, labels_in, part_answers
    from finewright.labels.targets import LabelTargets  # computes with torch

    problems = check_label_rows(rows, spec)
    if errors_of(problems):
        return None, problems
    parts, kind = part_answers(rows, spec.decisions, spec.seed), spec.decisions.kind
    train = [rows[i] for i in parts.train]
    targets = LabelTargets.learn(train, labels_in(rows, kind), kind)
    found = LabelledRows(
        targets=targets,
        train=as_learned(train, spec, targets),
        calibration=[rows[i] for i in parts.calibration],
        system_prompt=system_prompt_in(rows),
    )
    return found, problems


def as_learned(rows: Sequence[Row], spec: DecidingSettings, targets: "LabelTargets") -> list[Row]:
    """Rows as the method learns them: those of a head are prompts, whose target is a column."""
    if spec.writes_text or not rows:
        return list(rows)
    due = targets.of(rows).tolist()
    return [_as_question(row, each) for row, each in zip(rows, due, strict=True)]


def _as_question(row: Row, due: int | list[float]) -> Row:
    turns = ({**m, "weight": 0} if m["role"] == "assistant" else m for m in row.prompt)
    return replace(row, messages=tuple(turns), columns={**row.columns, LABEL_COLUMN: due})


def known_alone(rows: Sequence[Row], labelled: LabelledRows) -> list[Row]:
    """The held-out rows whose labels are learned; of a rarer one, which `unseen_labels` tells, there is no
    loss."""
    return [row for row in rows if labelled.targets.knows(row)]


def note_calibration(num_rows: int) -> Problem:
    """That so many rows were kept out."""
    return Problem(
        level="info",
        key="train.decisions.calibration",
        message=f"{num_rows} rows train nothing: they calibrate how sure the answers are",
    )
