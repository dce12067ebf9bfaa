"""Odds-ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): no reference.

With P = exp(mean log p over the answer's tokens) and odds = P / (1 - P), per pair:

    loss = -log P(chosen) - beta log sigmoid(log odds(chosen) - log odds(rejected))"""

import torch
import torch.nn.functional as F
from torch import Tensor

from finewright.lm.model import LM
from finewright.schema.methods import ORPOSpec
from finewright.train.methods.pairs import Paired, Pairs, seen


class ORPO(Paired):
    """Learn the chosen answers, and that they are likelier than the rejected ones."""

    spec: ORPOSpec

    def loss(self, lm: LM, batch: Pairs) -> tuple[Tensor, dict[str, float]]:
        """Mean over the pairs."""
        (chosen, rejected), (num_chosen, num_rejected) = batch.sums(lm), batch.lengths()
        chosen, rejected = chosen / num_chosen, rejected / num_rejected
        log_odds = (chosen - rejected) - (_log_not(chosen) - _log_not(rejected))
        loss = -chosen - self.spec.beta * F.logsigmoid(log_odds)
        metrics = seen(
            nll=-chosen,
            log_odds=log_odds,
            accuracy=(log_odds > 0).float(),
            logps_chosen=chosen,
            logps_rejected=rejected,
        )
        return loss.mean(), dict(metrics)


def _log_not(log_p: Tensor) -> Tensor:
    """log(1 - p), finite where p rounds to 1."""
    return torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))
