"""The focal loss."""

from collections.abc import Sequence

from torch import Tensor

from finewright.sdk import LM, Example, Offline, PackedBatch
from finewright_focal.settings import FocalSpec


class Focal(Offline):
    """Learn most from what is not known."""

    spec: FocalSpec

    def batch(self, lm: LM, rows: Sequence[Example]) -> PackedBatch:
        """The rows end to end."""
        return lm.pack([row.sequences for row in rows])

    def loss(self, lm: LM, batch: PackedBatch) -> tuple[Tensor, dict[str, float]]:
        """Mean over the batch's learned tokens."""
        logps = lm.token_logps(batch)
        return -((1 - logps.exp()) ** self.spec.gamma * logps).mean(), {}

    def weight(self, batch: PackedBatch) -> float:
        """Its learned tokens."""
        return float(batch.num_trained)
