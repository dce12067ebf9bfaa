"""Rows whose answer is a label: what they ask, which labels there are, and what is wrong with them."""

from collections import Counter
from collections.abc import Iterator, Sequence

from finewright.judge.answer import answer_of
from finewright.judge.labels import is_like_label
from finewright.labels.calibration import fewest_rows, part_rows
from finewright.schema.common import Problem
from finewright.schema.decisions import DecisionSpec
from finewright.schema.rows import Row, content_of

_FEWEST_LABELS = 2
_BY_CHANCE = "eval"
"""The set that `data.eval_fraction` held out."""
_WIDE = 0.05
"""A coverage that may be off by more is told: 95 % of the draws lie within twice the spread."""


def row_question(row: Row) -> str:
    """What the row asks: every turn before the answer but the system's."""
    return "\n".join(content_of(turn) for turn in row.prompt if turn["role"] != "system")


def label_of(row: Row) -> str:
    """The label that the row's answer is, without the space around it; empty where there is none."""
    return "" if row.answer is None else answer_of(row.answer).content.strip()


def labels_in(rows: Sequence[Row]) -> tuple[str, ...]:
    """The labels of the rows, sorted."""
    return tuple(sorted({label_of(row) for row in rows}))


def check_label_rows(rows: Sequence[Row], spec: DecisionSpec, seed: int) -> list[Problem]:
    """All that keeps a model of labels from being trained and calibrated on these rows."""
    if others := [row for row in rows if not _is_labelled(row)]:
        return [
            Problem(
                level="error",
                file=others[0].file,
                row=others[0].row,
                key="train.method",
                message=f"{len(others)} of {len(rows)} rows have no label for an answer, this one first:"
                " a label is one line of at most 64 characters and six words",
                hint="leave them out, or train a language model: train.method sft",
            )
        ]
    if len(labels := labels_in(rows)) < _FEWEST_LABELS:
        said = (
            f"all {len(rows)} rows have the label {labels[0]!r}" if labels else "no rows are left"
        )
        return [
            Problem(
                level="error",
                key="data.sources",
                message=f"{said}, and one label leaves nothing to decide",
                hint="add rows of the other labels",
            )
        ]
    return list(_too_few(rows, spec, seed))


def _is_labelled(row: Row) -> bool:
    return row.kind == "conversation" and is_like_label(label_of(row))


def _too_few(rows: Sequence[Row], spec: DecisionSpec, seed: int) -> Iterator[Problem]:
    found = len(part_rows([label_of(row) for row in rows], spec.calibration, seed).calibration)
    needed = fewest_rows(spec.coverage)
    if found < needed:
        yield Problem(
            level="error",
            key="train.decisions.calibration",
            message=f"{found} of {len(rows)} rows would calibrate, and sets that cover {spec.coverage:g}"
            f" take at least {needed}",
            hint="add rows, raise the share, or lower train.decisions.coverage",
        )
        return
    spread = 1.96 * (spec.coverage * (1 - spec.coverage) / (found + 2)) ** 0.5
    if spread > _WIDE:
        yield Problem(
            level="warning",
            key="train.decisions.calibration",
            message=f"{found} rows calibrate, so that the coverage of the sets is {spec.coverage:g}"
            f" give or take {spread:.2f}",
            hint="more rows, or a larger share, narrow it: with four times as many it is half",
        )
    alone = [label for label, count in Counter(map(label_of, rows)).items() if count == 1]
    if alone:
        yield Problem(
            level="warning",
            key="data.sources",
            message=f"{len(alone)} labels have one row alone, {alone[0]!r} first: they are trained, and how"
            " sure the model may be of them is not calibrated",
            hint="add rows of these labels",
        )


def unseen_labels(name: str, rows: Sequence[Row], labels: Sequence[str]) -> Iterator[Problem]:
    """An error where held-out rows expect a label that no training row has: no answer could be right. A
    warning where chance held out all rows of a rare label."""
    known = set(labels)
    lost = [row for row in rows if label_of(row) not in known]
    if lost:
        row = lost[0]
        yield Problem(
            level="warning" if name == _BY_CHANCE else "error",
            file=row.file,
            row=row.row,
            key="evaluate.data",
            message=f"{len(lost)} of {len(rows)} rows of {name} expect a label that no training row has, this"
            f" one first: {label_of(row)[:64]!r}",
            hint="add rows of that label to the training data, or leave these out",
        )
