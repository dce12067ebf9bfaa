"""What a linear model is fitted to: places of labels, one column a label, or a standardised score."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finewright.labels.linear import LossOf, codes_of, sigmoid_loss, softmax_loss, squared_loss
from finewright.labels.multilabel import as_indicators
from finewright.labels.rows import label_of, score_of, targets_of
from finewright.schema.decisions import DecisionKind
from finewright.schema.rows import Row

_LOSSES: dict[DecisionKind, LossOf] = {
    "single": softmax_loss,
    "several": sigmoid_loss,
    "score": squared_loss,
}
_TOLERANCES = {"single": 1e-4, "several": 1e-4, "score": 1e-6}
"""Of slopes: with 1e-4 scores were 0.02 standard deviations from scikit-learn's, and one column is cheap."""


@dataclass(frozen=True, slots=True)
class LabelTargets:
    """The labels that are known; of scores the mean and the standard deviation of the rows that train."""

    kind: DecisionKind
    labels: tuple[str, ...]
    mean: float = 0.0
    scale: float = 1.0

    @staticmethod
    def learn(rows: Sequence[Row], labels: tuple[str, ...], kind: DecisionKind) -> "LabelTargets":
        """From the rows that train, which `check_label_rows` has looked at."""
        if kind != "score":
            return LabelTargets(kind, labels)
        scores = torch.tensor([score_of(row) for row in rows], dtype=torch.float64)
        return LabelTargets(kind, (), float(scores.mean()), float(scores.std(correction=0)) or 1.0)

    @property
    def num_columns(self) -> int:
        """How many logits the fit gives each row."""
        return len(self.labels) or 1

    @property
    def loss_of(self) -> LossOf:
        """What the fit minimises."""
        return _LOSSES[self.kind]

    @property
    def tolerance(self) -> float:
        """The slope of the mean loss at which the fit ends."""
        return _TOLERANCES[self.kind]

    def of(self, rows: Sequence[Row]) -> Tensor:
        """Of single labels (n,), else (n, K) in float64."""
        if self.kind == "single":
            return codes_of([label_of(row) for row in rows], self.labels)
        if self.kind == "several":
            said = [targets_of(row, self.kind) or () for row in rows]
            return torch.from_numpy(as_indicators(said, self.labels))
        scores = torch.tensor([[score_of(row)] for row in rows], dtype=torch.float64)
        return (scores - self.mean) / self.scale

    def knows(self, row: Row) -> bool:
        """Whether the row's labels are all known; of a score always."""
        return set(targets_of(row, self.kind) or ()) <= set(self.labels)

    def first_loss(self, truth: Tensor) -> float:
        """Of logits of 0."""
        zeros = torch.zeros(len(truth), self.num_columns, dtype=torch.float64)
        return float(self.loss_of(zeros, truth).value)
