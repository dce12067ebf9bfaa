"""Direct preference optimisation and its kin (Rafailov et al. 2023, arXiv:2305.18290).

With h = (log p(chosen) - log p_ref(chosen)) - (log p(rejected) - log p_ref(rejected)), per pair:

    sigmoid   -(1 - e) log sigmoid(beta h) - e log sigmoid(-beta h)    e: label_smoothing (cDPO)
    hinge     max(0, 1 - beta h)                                       (SLiC, arXiv:2305.10425)
    ipo       (h' - 1 / (2 beta))^2, h' of mean instead of summed log p  (arXiv:2310.12036)

Without a reference p_ref is left out. At the first step h is 0 and the sigmoid loss ln 2."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.methods import DPOSpec
from finewright.train.methods.pairs import Paired, Pairs, mean_of_each, split_pairs


class DPO(Paired):
    """Make chosen answers more likely than rejected ones, measured from the base."""

    spec: DPOSpec

    def prepare(self, lm: LM, steps: Iterator[Sequence[Example]], max_tokens: int | None) -> None:
        """What the base gives to both answers of every pair."""
        if not self.spec.reference_free:
            groups = ([row.sequences for row in rows] for rows in steps)
            self.setup.references.compute(lm, groups, max_tokens)

    def batch(self, lm: LM, rows: Sequence[Example]) -> Pairs:
        """The pairs with what the base gives them."""
        groups = [row.sequences for row in rows]
        if self.spec.reference_free:
            return Pairs(lm.pack(groups))
        return Pairs(lm.pack(groups), self.setup.references.of(groups, lm.device))

    def loss(self, lm: LM, batch: Pairs) -> tuple[Tensor, dict[str, float]]:
        """Mean over the pairs."""
        losses, metrics = self._of_pairs(lm, batch)
        return losses.mean(), metrics

    def row_losses(self, lm: LM, batch: Pairs, rows: Sequence[Example]) -> Tensor:
        """Of each pair, (P,)."""
        return self._of_pairs(lm, batch)[0]

    def _of_pairs(self, lm: LM, batch: Pairs) -> tuple[Tensor, dict[str, float]]:
        chosen, rejected = batch.sums(lm)
        reference = torch.zeros(2 * len(chosen), device=lm.device)
        if batch.reference is not None:
            reference = batch.reference
        ref_chosen, ref_rejected = split_pairs(reference)
        gain, loss = chosen - ref_chosen, rejected - ref_rejected
        beta = self.spec.beta
        metrics = mean_of_each(
            rewards_chosen=beta * gain,
            rewards_rejected=beta * loss,
            margin=beta * (gain - loss),
            accuracy=(gain > loss).float(),
            logps_chosen=chosen,
            logps_rejected=rejected,
        )
        if self.spec.loss_type == "ipo":
            num_chosen, num_rejected = batch.lengths()
            gain, loss = gain / num_chosen, loss / num_rejected
        return pair_loss(gain - loss, self.spec), dict(metrics)


def pair_loss(h: Tensor, spec: DPOSpec) -> Tensor:
    """The loss of each pair, from the log-ratio h (P,)."""
    if spec.loss_type == "ipo":
        return (h - 1 / (2 * spec.beta)) ** 2
    if spec.loss_type == "hinge":
        return torch.relu(1 - spec.beta * h)
    smoothing = spec.label_smoothing
    return -(1 - smoothing) * F.logsigmoid(spec.beta * h) - smoothing * F.logsigmoid(-spec.beta * h)
