"""What a language model that decides is trained and calibrated on, and how its result becomes a decider."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finewright.schema.common import Problem, errors_of
from finewright.schema.decisions import StoredDecider
from finewright.schema.label_methods import LABEL_COLUMN, DecidingSettings
from finewright.schema.rows import Row, system_prompt_in
from finewright.schema.train import TrainSettings
from finewright.store.atomic import write_json

if TYPE_CHECKING:
    from finewright.train.work import Work


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """The labels, the rows that train as the method learns them, and those that calibrate."""

    labels: tuple[str, ...]
    train: list[Row]
    calibration: list[Row]
    system_prompt: str


def part_labelled(
    rows: Sequence[Row], spec: TrainSettings
) -> tuple[LabelledRows | None, list[Problem]]:
    """The rows parted as `part_rows` does it, for a method that decides, and what is wrong with them; with an
    error nothing is parted."""
    if not isinstance(spec, DecidingSettings):
        return None, []
    from finewright.labels.calibration import part_rows  # computes with numpy
    from finewright.labels.rows import check_label_rows, label_of, labels_in

    problems = check_label_rows(rows, spec.decisions, spec.seed)
    if errors_of(problems):
        return None, problems
    parts = part_rows([label_of(row) for row in rows], spec.decisions.calibration, spec.seed)
    found = LabelledRows(
        labels=labels_in(rows),
        train=as_learned([rows[i] for i in parts.train], spec),
        calibration=[rows[i] for i in parts.calibration],
        system_prompt=system_prompt_in(rows),
    )
    return found, problems


def as_learned(rows: Sequence[Row], spec: DecidingSettings) -> list[Row]:
    """Rows as the method learns them: those of a head are prompts, whose label is a column."""
    return list(rows) if spec.writes_text else [_as_question(row) for row in rows]


def _as_question(row: Row) -> Row:
    from finewright.labels.rows import label_of

    turns = ({**m, "weight": 0} if m["role"] == "assistant" else m for m in row.prompt)
    return replace(row, messages=tuple(turns), columns={**row.columns, LABEL_COLUMN: label_of(row)})


def known_alone(rows: Sequence[Row], labelled: LabelledRows) -> list[Row]:
    """The held-out rows whose label is learned; of a rarer one, which `unseen_labels` tells, there is no
    loss."""
    from finewright.labels.rows import label_of

    return [row for row in rows if label_of(row) in labelled.labels]


def calibrate_result(work: "Work") -> list[Problem]:
    """Calibrate the stored result, loaded afresh and never quantised, and write decisions.json beside it."""
    from finewright.labels.calibration import calibrate
    from finewright.labels.decider import DECISIONS_FILE, as_truth
    from finewright.labels.on_lm import HeadScorer, scorer_on
    from finewright.labels.rows import label_of
    from finewright.lm.load import load_lm

    spec, labelled, folder = work.spec, work.labelled, work.folder / "adapter"
    assert isinstance(spec, DecidingSettings)
    assert labelled is not None
    assert spec.dtype != "auto"
    consent = work.context.spec.remote_code.get(work.base.name, "")
    lm = load_lm(work.base, folder, dtype=spec.dtype, consent=consent)
    scorer = scorer_on(folder, lm, work.chat, labelled.labels, labelled.system_prompt)
    truth = as_truth([label_of(row) for row in labelled.calibration], labelled.labels)
    stored = StoredDecider(
        kind="head" if isinstance(scorer, HeadScorer) else "text",
        labels=labelled.labels,
        system_prompt=labelled.system_prompt,
        calibration=calibrate(scorer.logits(labelled.calibration), truth, spec.decisions),
    )
    write_json(folder / DECISIONS_FILE, stored.model_dump(mode="json"))
    return [note_calibration(len(labelled.calibration))]


def note_calibration(num_rows: int) -> Problem:
    """That so many rows were kept out."""
    return Problem(
        level="info",
        key="train.decisions.calibration",
        message=f"{num_rows} rows train nothing: they calibrate how sure the answers are",
    )
