"""A linear layer over labels on the last hidden state of the prompt.

    one label:       loss = -mean log softmax(W h)[label]
    several labels:  loss = -mean over rows and labels of log p(has it or not),   p = sigmoid(W h)
    a score:         loss = mean (W h - z)^2,   z = (score - mean) / deviation, of the rows that train

h is the last hidden state of the prompt's last token. W begins at zero: the first loss is ln K, ln 2, or the
mean of z^2, whatever the seed, and the adapter moves from the second step on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.lm.score_head import new_label_head, scores
from finewright.schema.label_methods import LABEL_COLUMN, LabelHeadSpec
from finewright.train.methods.setup import Offline, OnPacked, Setup


@dataclass(frozen=True, slots=True)
class LabelBatch(OnPacked):
    """B prompts, and the place of each one's label, (B,), or a number for each column of the head, (B, K)."""

    truth: Tensor

    @property
    def num_trained(self) -> int:
        """Its labels: no token is learned."""
        return len(self.truth)


class LabelHead(Offline):
    """Learn the targets of the setup."""

    def __init__(self, spec: LabelHeadSpec, setup: Setup) -> None:
        super().__init__(spec, setup)
        assert setup.targets is not None
        self.kind, self.labels = setup.targets.kind, setup.targets.labels
        self.head = new_label_head(setup.lm, setup.targets.num_columns)

    def batch(self, lm: LM, rows: Sequence[Example]) -> LabelBatch:
        """The prompts in one group: what all begin with, such as a system prompt, runs through once."""
        truth = [row.columns[LABEL_COLUMN] for row in rows]
        packed = lm.pack([[row.sequences[0] for row in rows]])
        return LabelBatch(packed, torch.tensor(truth, device=lm.device))

    def loss(self, lm: LM, batch: LabelBatch) -> tuple[Tensor, dict[str, float]]:
        """Mean over the prompts."""
        logits = scores(lm, self.head, batch.packed).reshape(len(batch.truth), -1)
        if self.kind == "several":
            return F.binary_cross_entropy_with_logits(logits, batch.truth), {}
        if self.kind == "score":
            return F.mse_loss(logits, batch.truth), {}
        right = (logits.detach().argmax(1) == batch.truth).float().mean()
        return F.cross_entropy(logits, batch.truth), {"accuracy": float(right)}

    def weight(self, batch: LabelBatch) -> float:
        """Its prompts."""
        return float(len(batch.truth))

    def parameters(self) -> list[nn.Parameter]:
        """The head's."""
        return list(self.head.parameters())
