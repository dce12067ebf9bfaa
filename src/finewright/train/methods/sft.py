"""Supervised fine-tuning: the mean negative log-likelihood of the learned tokens."""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from finewright.lm.batch import Encoded, Packed
from finewright.lm.model import LM


class SFT:
    """Loss = -1/N sum log p(token | tokens before it), over the N learned tokens of the batch."""

    def batches(self, lm: LM, rows: Sequence[Encoded]) -> Iterator[Packed]:
        """The rows as one batch."""
        yield lm.pack([[row] for row in rows])

    def loss(self, lm: LM, batch: Packed) -> tuple[Tensor, dict[str, float]]:
        """Mean over the batch's learned tokens."""
        return -lm.token_logps(batch).mean(), {}

    def weight(self, batch: Packed) -> float:
        """What the batch counts in a mean over several batches: its learned tokens."""
        return float(batch.num_trained)

    def parameters(self) -> list[nn.Parameter]:
        """No heads beyond the adapter."""
        return []
