"""Rows whose answer is a label, a JSON list of labels or a number: what they ask, which labels there are, and
what is wrong with them."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from finewright.judge.answer import answer_of
from finewright.judge.labels import is_like_label
from finewright.labels.calibration import Parts, fewest_rows, part_rows
from finewright.schema.common import Problem
from finewright.schema.decisions import DecisionKind, DecisionSpec
from finewright.schema.label_methods import DecidingSettings
from finewright.schema.rows import Row, content_of

_FEWEST_ANSWERS = 2
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


def labels_in(rows: Sequence[Row], kind: DecisionKind = "single") -> tuple[str, ...]:
    """The labels of the rows, sorted; none of scores."""
    return tuple(sorted({label for row in rows for label in targets_of(row, kind) or ()}))


def targets_of(row: Row, kind: DecisionKind) -> tuple[str, ...] | None:
    """The labels that the row's answer is, none of a score; None where it is no answer of that kind."""
    said = label_of(row)
    if kind == "score":
        return None if score_of(row) is None else ()
    if kind == "single":
        return (said,) if is_like_label(said) else None
    try:
        found = json.loads(said)
    except ValueError:
        return None
    is_list = isinstance(found, list) and all(isinstance(each, str) for each in found)
    if not is_list or not all(is_like_label(each) and each == each.strip() for each in found):
        return None
    return tuple(found) if len(set(found)) == len(found) else None


def score_of(row: Row) -> float | None:
    """The finite number that the row's answer is, as JSON writes it; None where it is none."""
    try:
        found = json.loads(label_of(row))
    except ValueError:
        return None
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and math.isfinite(found) else None


def expected_answer(row: Row, kind: DecisionKind) -> str:
    """The row's answer in one spelling: labels sorted, a score as a float."""
    if kind == "single":
        return label_of(row)
    found = score_of(row) if kind == "score" else sorted(targets_of(row, kind) or ())
    return json.dumps(found, ensure_ascii=False)


_FORMS = {
    "single": "no label for an answer, this one first: a label is one line of at most 64 characters and six"
    " words",
    "several": "no list of different labels for an answer, this one first: write"
    ' ["one", "two"], or [] for none',
    "score": "no number for an answer, this one first: write 3.5",
}


_SPLIT = (
    "of a list, or of labels that a sign parts, columns: {completion: \"labels(NAME, ';')\"}; else "
)


def check_label_rows(rows: Sequence[Row], train: DecidingSettings) -> list[Problem]:
    """All that keeps a model that decides from being trained and calibrated on these rows."""
    spec = train.decisions
    if others := list(_not_of_kind(rows, spec.kind)):
        return others
    answers = {expected_answer(row, spec.kind) for row in rows}
    if len(answers) < _FEWEST_ANSWERS:
        noun = "label" if spec.kind == "single" else "answer"
        said = (
            f"all {len(rows)} rows have the {noun} {min(answers)!r}" if rows else "no rows are left"
        )
        return [
            Problem(
                level="error",
                key="data.sources",
                message=f"{said}, and one {noun} leaves nothing to decide",
                hint=f"add rows of the other {noun}s",
            )
        ]
    return list(_too_few(rows, train))


def _not_of_kind(rows: Sequence[Row], kind: DecisionKind) -> Iterator[Problem]:
    others = [r for r in rows if r.kind != "conversation" or targets_of(r, kind) is None]
    if others:
        yield Problem(
            level="error",
            file=others[0].file,
            row=others[0].row,
            key="train.method" if kind == "single" else "train.decisions.kind",
            message=f"{len(others)} of {len(rows)} rows have {_FORMS[kind]}",
            hint=f"{_SPLIT * (kind == 'several')}leave them out, or train a language model: train.method sft",
        )


def _too_few(rows: Sequence[Row], train: DecidingSettings) -> Iterator[Problem]:
    spec = train.decisions
    found = len(part_answers(rows, spec, train.seed).calibration)
    if spec.kind == "several" and not train.refits:
        found //= 2
    needed = fewest_rows(spec.coverage)
    if found < needed:
        yield Problem(
            level="error",
            key="train.decisions.calibration",
            message=f"{found} of {len(rows)} rows would calibrate, and {spec.bounds} that cover"
            f" {spec.coverage:g} take at least {needed}",
            hint="add rows, raise the share, or lower train.decisions.coverage",
        )
        return
    spread = 1.96 * (spec.coverage * (1 - spec.coverage) / (found + 2)) ** 0.5
    if spread > _WIDE:
        yield Problem(
            level="warning",
            key="train.decisions.calibration",
            message=f"{found} rows calibrate, so that the coverage of the {spec.bounds} is {spec.coverage:g}"
            f" give or take {spread:.2f}",
            hint="more rows, or a larger share, narrow it: with four times as many it is half",
        )
    counts = Counter(label for row in rows for label in targets_of(row, spec.kind) or ())
    alone = [label for label, count in counts.items() if count == 1]
    if alone:
        yield Problem(
            level="warning",
            key="data.sources",
            message=f"{len(alone)} labels have one row alone, {alone[0]!r} first: they are trained, and how"
            " sure the model may be of them is not calibrated",
            hint="add rows of these labels",
        )


def part_answers(rows: Sequence[Row], spec: DecisionSpec, seed: int) -> Parts:
    """`part_rows` of rows with single labels; of others by chance alone."""
    is_single = spec.kind == "single"
    said = [label_of(row) if is_single else "" for row in rows]
    return part_rows(said, spec.calibration, seed)


def unseen_labels(
    name: str, rows: Sequence[Row], labels: Sequence[str], kind: DecisionKind = "single"
) -> Iterator[Problem]:
    """An error where held-out rows expect a label that no training row has: no answer could be right. A
    warning where chance held out all rows of a rare label. Of several labels and scores also an error where
    what is expected is none."""
    if kind != "single" and (others := list(_not_of_kind(rows, kind))):
        yield from others
        return
    known = set(labels)
    wanted = [targets_of(row, kind) if kind != "single" else (label_of(row),) for row in rows]
    lost = [
        (row, unknown)
        for row, labels_due in zip(rows, wanted, strict=True)
        if (unknown := set(labels_due or ()) - known)
    ]
    if lost:
        row, unknown = lost[0]
        yield Problem(
            level="warning" if name == _BY_CHANCE else "error",
            file=row.file,
            row=row.row,
            key="evaluate.data",
            message=f"{len(lost)} of {len(rows)} rows of {name} expect a label that no training row has, this"
            f" one first: {min(unknown)[:64]!r}",
            hint="add rows of that label to the training data, or leave these out",
        )
