"""What a run's training rows tell of the rows that `evaluate` asks: their labels, and which repeat one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from finewright.data.contamination import contamination
from finewright.data.privacy import apply
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.label_methods import gives_one_answer
from finewright.schema.rows import Row, parse_rows
from finewright.store.atomic import os_errors
from finewright.store.rundir import is_run, open_run
from finewright.store.speclock import lock_of

if TYPE_CHECKING:
    from finewright.evaluate.baselines.label_task import LabelTask
    from finewright.evaluate.baselines.rivals import JsonTask
    from finewright.evaluate.measured import RowSet


@dataclass(frozen=True, slots=True)
class TrainedRows:
    """The rows that the first target trained on, read as its `data` say; none where it is no run."""

    rows: Sequence[Row]
    task: "LabelTask | None"
    data: DataSpec | None = None
    json_task: "JsonTask | None" = None
    problems: Sequence[Problem] = ()

    def find_repeated(self, row_sets: Sequence["RowSet"]) -> dict[str, tuple[int, ...]]:
        """Of each set which rows repeat a training row but for values; empty where none is known.

        Training rows may have stand-ins of personal data by a key that nobody has: what was replaced there is
        a mark on both sides here."""
        if not self.rows:
            return {}
        known = _mark_values(self.rows, self.data)
        reports = [
            contamination(known, each.name, _mark_values(each.rows, self.data)).report
            for each in row_sets
        ]
        return {each.name: each.repeated for each in reports if each.repeated is not None}


def read_trained_rows(target: str, spec: EvaluateSpec) -> TrainedRows:
    """Of a run's folder, or of a model's name, which has none."""
    if not is_run(target):
        return TrainedRows((), None)
    from finewright.evaluate.baselines.label_task import label_task
    from finewright.evaluate.baselines.rivals import find_json_task

    run = open_run(Path(target))
    path = run.root / "data" / "train.jsonl"
    if not run.report_path("data").is_file():  # a merge has no rows of its own
        return TrainedRows((), None)
    with os_errors(path):
        rows = parse_rows(path.read_text(encoding="utf-8"))
    wants_labels = not {"base_with_labels", "linear"}.isdisjoint(spec.compare_with)
    lock = lock_of(run)
    schema = {"json_schema": lock.spec.evaluate.json_schema}
    json_task, problems = find_json_task(
        rows, spec.model_copy(update=schema), Path(lock.root).joinpath
    )
    wants_labels &= gives_one_answer(lock.spec.train)
    task = label_task(rows) if wants_labels else None
    return TrainedRows(rows, task, lock.spec.data, json_task, problems)


def _mark_values(rows: Sequence[Row], data: DataSpec | None) -> Sequence[Row]:
    """The rows with a mark for each value that the run replaced in its own."""
    if data is None:
        return rows
    replaces = {"redact", "pseudonymise"}
    marks: dict[bool, Literal["redact", "off"]] = {True: "redact", False: "off"}
    of_persons = not replaces.isdisjoint(data.personal_data.actions.values())
    of_secrets = data.secrets.action in replaces
    if not (of_persons or of_secrets):
        return rows
    marked = data.personal_data.replace_actions("redact")
    off = {"action": "off", "patterns": ()}
    personal = marked.model_copy(update={"ner": "", **({} if of_persons else off)})
    secrets = data.secrets.model_copy(update={"action": marks[of_secrets]})
    return apply(rows, personal, secrets, b"").outcome.rows
