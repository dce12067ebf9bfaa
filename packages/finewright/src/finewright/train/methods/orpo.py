"""Odds-ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): no reference.

With P = exp(mean log p over the answer's tokens) and odds = P / (1 - P), per pair:

    loss = -log P(chosen) - beta log sigmoid(log odds(chosen) - log odds(rejected))

With `nll_mean: tokens` the first term is the mean over all chosen tokens of the step, so that long answers
weigh more. TRL's is that too, and takes the prompts' tokens in besides, which are never learned here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.methods import ORPOSpec
from finewright.train.methods.pairs import Paired, Pairs, mean_of_each


@dataclass(frozen=True, slots=True)
class _Part(Pairs):
    """Some of a step's pairs; `tokens_a_pair` are the chosen answers' tokens a pair in the whole step."""

    tokens_a_pair: float = 1.0


class ORPO(Paired):
    """Learn the chosen answers, and that they are likelier than the rejected ones."""

    spec: ORPOSpec

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[_Part]]:
        """All rows at once, in parts that know how long the step's chosen answers are."""
        for parts in super().updates(lm, rows, max_tokens, seed):
            ranks = self.setup.ranks
            tokens = ranks.sum(sum(float(part.lengths()[0].sum()) for part in parts))
            mean = tokens / ranks.sum(sum(map(self.weight, parts)))
            yield [_Part(part.packed, tokens_a_pair=mean) for part in parts]

    def loss(self, lm: LM, batch: _Part) -> tuple[Tensor, dict[str, float]]:
        """Mean over the pairs; with `nll_mean: tokens` what adds up to the step's mean over tokens."""
        (sums, rejected), (num_chosen, num_rejected) = batch.sums(lm), batch.lengths()
        chosen, rejected = sums / num_chosen, rejected / num_rejected
        log_odds = (chosen - rejected) - (_log_not(chosen) - _log_not(rejected))
        nll = -chosen if self.spec.nll_mean == "pairs" else -sums / batch.tokens_a_pair
        loss = nll - self.spec.beta * F.logsigmoid(log_odds)
        metrics = mean_of_each(
            nll=nll,
            log_odds=log_odds,
            accuracy=(log_odds > 0).float(),
            logps_chosen=chosen,
            logps_rejected=rejected,
        )
        return loss.mean(), dict(metrics)


def _log_not(log_p: Tensor) -> Tensor:
    """log(1 - p), finite where p rounds to 1."""
    return torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))
