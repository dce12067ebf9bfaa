"""What is fitted to: places of labels, one column a label, or a standardised score; and its calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finewright.labels.calibration import Floats, calibrate
from finewright.labels.linear import LossOf, codes_of, sigmoid_loss, softmax_loss, squared_loss
from finewright.labels.multilabel import as_indicators, calibrate_multilabel
from finewright.labels.rows import label_of, score_of, targets_of
from finewright.labels.scores import calibrate_scores
from finewright.schema.decisions import Calibration, DecisionKind, DecisionSpec
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
        """Whether the row's answer is of the kind, and all its labels are known."""
        found = targets_of(row, self.kind)
        return found is not None and set(found) <= set(self.labels)

    def calibrate(
        self,
        logits: Floats,
        rows: Sequence[Row],
        spec: DecisionSpec,
        fitted: tuple[Floats, Floats] | None = None,
    ) -> Calibration:
        """From the logits of rows that trained nothing.

        Several labels take their probabilities and thresholds from `fitted`, logits and truth of other such
        rows, or, without these, from the first half of the rows."""
        truth = self.of(rows).numpy()
        if self.kind == "single":
            return calibrate(logits, truth, spec)
        if self.kind == "score":
            return calibrate_scores(logits[:, 0], truth[:, 0], spec, self.mean, self.scale)
        half = 0 if fitted else len(rows) - len(rows) // 2
        of_fit = fitted or (logits[:half], truth[:half])
        return calibrate_multilabel(
            of_fit, (logits[half:], truth[half:]), spec, is_pooled=fitted is None
        )

    def first_loss(self, truth: Tensor) -> float:
        """Of logits of 0."""
        zeros = torch.zeros(len(truth), self.num_columns, dtype=torch.float64)
        return float(self.loss_of(zeros, truth).value)
