"""What a run's training rows tell of the rows that `evaluate` asks: their labels, and which repeat one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.data.contamination import contamination
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.rows import Row, parse_rows
from finewright.store.atomic import os_errors
from finewright.store.rundir import open_run

if TYPE_CHECKING:
    from finewright.evaluate.baselines.label_task import LabelTask
    from finewright.evaluate.measured import RowSet


@dataclass(frozen=True, slots=True)
class TrainedRows:
    """The rows that the first target trained on; none where it is no run."""

    rows: Sequence[Row]
    task: "LabelTask | None"

    def repeated(self, row_sets: Sequence["RowSet"]) -> dict[str, tuple[int, ...]]:
        """Of each set which rows repeat a training row but for values; empty where none is known."""
        if not self.rows:
            return {}
        reports = [contamination(self.rows, each.name, each.rows).report for each in row_sets]
        return {each.name: each.repeated for each in reports if each.repeated is not None}


def trained_rows(target: str, spec: EvaluateSpec) -> TrainedRows:
    """Of a run's folder, or of a model's name, which has none."""
    if not is_run(target):
        return TrainedRows((), None)
    from finewright.evaluate.baselines.label_task import label_task

    path = open_run(Path(target)).root / "data" / "train.jsonl"
    with os_errors(path):
        rows = parse_rows(path.read_text(encoding="utf-8"))
    wants_labels = not {"base_with_labels", "linear"}.isdisjoint(spec.compare_with)
    return TrainedRows(rows, label_task(rows) if wants_labels else None)


def is_run(target: str) -> bool:
    """Does the target name a run's folder?"""
    return (Path(target) / "manifest.json").is_file()
