"""Simple preference optimisation (Meng et al. 2024, arXiv:2405.14734): no reference.

loss = -log sigmoid(beta (mean log p(chosen) - mean log p(rejected)) - gamma),   per pair"""

import torch.nn.functional as F
from torch import Tensor

from finewright.lm.model import LM
from finewright.schema.methods import SimPOSpec
from finewright.train.methods.pairs import Paired, Pairs, mean_of_each


class SimPO(Paired):
    """Make chosen answers likelier per token than rejected ones, by a margin."""

    spec: SimPOSpec

    def loss(self, lm: LM, batch: Pairs) -> tuple[Tensor, dict[str, float]]:
        """Mean over the pairs."""
        (chosen, rejected), (num_chosen, num_rejected) = batch.sums(lm), batch.lengths()
        chosen, rejected = chosen / num_chosen, rejected / num_rejected
        margin = self.spec.beta * (chosen - rejected)
        metrics = mean_of_each(
            margin=margin,
            accuracy=(margin > 0).float(),
            logps_chosen=chosen,
            logps_rejected=rejected,
        )
        return -F.logsigmoid(margin - self.spec.gamma).mean(), dict(metrics)
