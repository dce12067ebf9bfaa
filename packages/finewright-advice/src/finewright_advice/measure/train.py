"""The trainings of an experiment: ordinary runs on rows that the experiment wrote."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from finewright.evaluate.arms import gold_of
from finewright.schema.load import LoadedSpec, changed
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors, write_text
from finewright.workbench.up import OnEvent, up
from finewright_advice.schema.measure_report import TrainedArm

# What a training keeps of the spec.
_OF_A_TRAINING = {"version", "name", "base_models", "remote_code", "chat_template", "train"}
_LONGEST_NAME = 50


class Trained(NamedTuple):
    """What was trained, and the run's folder."""

    training: TrainedArm
    run: Path


def training_spec(loaded: LoadedSpec, rows: Path, *, max_length: int | None = None) -> LoadedSpec:
    """The spec of one training: that of the experiment with other rows, and no other section."""
    name = f"{loaded.spec.name[:_LONGEST_NAME]}-{rows.stem}"
    values = {"name": name, "data": {"sources": [{"path": str(rows.resolve())}]}}
    others = [key for key in loaded.data if key not in _OF_A_TRAINING]
    longer = {} if max_length is None else {"train.max_length": max_length}
    return changed(loaded, {**values, **longer}, without=others)


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
