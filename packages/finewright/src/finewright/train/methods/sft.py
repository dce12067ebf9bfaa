"""Supervised fine-tuning: the mean negative log-likelihood of the learned tokens.

loss = -1/N sum log p(token | tokens before it),   over the N learned tokens of the step"""

from collections.abc import Sequence

import torch
from torch import Tensor

from finewright.lm.batch import PackedBatch, sums_of
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.train.methods.setup import Offline


class SFT(Offline):
    """Learn to give the answers of the rows."""

    def batch(self, lm: LM, rows: Sequence[Example]) -> PackedBatch:
        """The rows end to end."""
        return lm.pack([row.sequences for row in rows])

    def loss(self, lm: LM, batch: PackedBatch) -> tuple[Tensor, dict[str, float]]:
        """Mean over the batch's learned tokens."""
        return -lm.token_logps(batch).mean(), {}

    def row_losses(self, lm: LM, batch: PackedBatch, rows: Sequence[Example]) -> Tensor:
        """Of each row, the mean over its own learned tokens: (rows,)."""
        logps = lm.token_logps(batch)
        sums, lengths = (sums_of(each, batch) for each in (logps, torch.ones_like(logps)))
        counts = torch.tensor([len(row.sequences) for row in rows], device=lm.device)
        row_of = torch.arange(len(rows), device=lm.device).repeat_interleave(counts)
        zeros = sums.new_zeros(len(rows))
        return -zeros.index_add(0, row_of, sums) / zeros.index_add(0, row_of, lengths)

    def weight(self, batch: PackedBatch) -> float:
        """Its learned tokens."""
        return float(batch.num_trained)
