"""Data whose answers are labels: what is asked, which labels there are, and a base that is told them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finewright.evaluate.arms import with_task
from finewright.evaluate.measured import RowSet
from finewright.evaluate.scorers import label
from finewright.judge.answer import answer_of
from finewright.judge.labels import labels_of
from finewright.schema.canaries import CANARY_SOURCE
from finewright.schema.rows import Row, content_of

if TYPE_CHECKING:
    from finewright.lm.chat import Chat  # which imports transformers

_FEWEST_LABELS = 2
_MOST_OTHERS = 0.5


@dataclass(frozen=True, slots=True)
class LabelTask:
    """The labels of the training rows, sorted, and each row's question with its label; `names` are the
    labels as `label_accuracy` reads them."""

    labels: tuple[str, ...]
    names: frozenset[str]
    questions: tuple[str, ...]
    answers: tuple[str, ...]

    def is_label(self, answer: str) -> bool:
        """Whether the answer names one of the labels."""
        return label(answer) in self.names

    def suits(self, rows: Sequence[Row]) -> bool:
        """Whether these rows ask for the same labels. At least half of what they expect is one of them."""
        num_others = sum(not self.is_label(_answer(row)) for row in rows)
        return bool(rows) and num_others <= _MOST_OTHERS * len(rows)


def label_task(train: Sequence[Row]) -> LabelTask | None:
    """The task of the training rows where their answers are labels (`judge.labels`), and at least two.

    Canaries among them are no part of the task."""
    train = [row for row in train if row.file != CANARY_SOURCE]
    if not all(map(is_plain_answer, train)):
        return None
    answers = [_answer(row) for row in train]
    labels = labels_of(answers)
    if len(labels) < _FEWEST_LABELS:
        return None
    return LabelTask(
        labels,
        names=frozenset(map(label, labels)),
        questions=tuple(map(question_text, train)),
        answers=tuple(answer.strip() for answer in answers),
    )


def question_text(row: Row) -> str:
    """What the row asks: every turn before the answer but the system's."""
    before = row.messages[: row.answer_at or 0]
    return "\n".join(content_of(turn) for turn in before if turn["role"] != "system")


def with_labels(chat: "Chat", row: Row, labels: Sequence[str]) -> Row:
    """The row with the task and its labels told: in the system prompt, after the row's own; in the first turn
    of the user where the chat template has no system prompt. A row that names every label stays as it is."""
    said = "\n".join(content_of(turn) for turn in row.messages[: row.answer_at or 0])
    if all(_names(said, name) for name in labels):
        return row
    listed = "\n".join(f"- {name}" for name in labels)
    task = f"Answer with exactly one of these labels, and nothing else:\n{listed}"
    return with_task(chat, row, task, labels)


def sets_with_labels(
    chat: "Chat", task: LabelTask | None, row_sets: Sequence[RowSet]
) -> list[RowSet]:
    """The sets of the task with the labels told in every row; those that told them already are left out."""
    if task is None:
        return []
    suitable = [each for each in row_sets if task.suits(each.rows)]
    rows_with_labels = [
        [with_labels(chat, row, task.labels) for row in each.rows] for each in suitable
    ]
    both = zip(suitable, rows_with_labels, strict=True)
    return [RowSet(each.name, rows) for each, rows in both if rows != list(each.rows)]


def _names(text: str, name: str) -> bool:
    """Whether the text has the label as a word of its own. `no` is not named by `know`."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _answer(row: Row) -> str:
    return "" if row.answer_at is None else answer_of(row.messages[row.answer_at]).content


def is_plain_answer(row: Row) -> bool:
    """Whether the row is a conversation that expects a text, and no call."""
    if row.kind != "conversation":
        return False
    return row.answer_at is None or not answer_of(row.messages[row.answer_at]).calls
