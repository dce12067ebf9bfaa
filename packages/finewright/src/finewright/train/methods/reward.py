"""A reward model: one number an answer (Bradley & Terry 1952; Ouyang et al. 2022, arXiv:2203.02155).

    loss = -log sigmoid(r(chosen) - r(rejected)) + c (r(chosen) + r(rejected))^2,   per pair

r is a linear head on the last hidden state of the whole conversation. The second term (c =
center_rewards_coefficient, Eisenstein et al. 2023, arXiv:2312.09244) keeps the numbers around zero, which
the first leaves open."""

import torch.nn.functional as F
from torch import Tensor, nn

from finewright.lm.model import LM
from finewright.lm.score_head import new_head, scores
from finewright.schema.methods import RewardModelSpec
from finewright.train.methods.pairs import Paired, Pairs, mean_of_each, split_pairs
from finewright.train.methods.setup import Setup


class RewardModel(Paired):
    """Learn to rank answers."""

    spec: RewardModelSpec

    def __init__(self, spec: RewardModelSpec, setup: Setup) -> None:
        super().__init__(spec, setup)
        self.head = new_head(setup.lm, spec.seed)

    def loss(self, lm: LM, batch: Pairs) -> tuple[Tensor, dict[str, float]]:
        """Mean over the pairs."""
        chosen, rejected = split_pairs(scores(lm, self.head, batch.packed))
        loss = -F.logsigmoid(chosen - rejected)
        loss = loss + self.spec.center_rewards_coefficient * (chosen + rejected) ** 2
        metrics = mean_of_each(
            accuracy=(chosen > rejected).float(),
            margin=chosen - rejected,
            rewards_chosen=chosen,
            rewards_rejected=rejected,
        )
        return loss.mean(), dict(metrics)

    def parameters(self) -> list[nn.Parameter]:
        """The head's."""
        return list(self.head.parameters())
