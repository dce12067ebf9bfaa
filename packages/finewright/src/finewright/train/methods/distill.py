"""Knowledge distillation: the student's distribution of each learned token is drawn to the teacher's.

The generalised Jensen-Shannon divergence (Agarwal et al. 2024, arXiv:2306.13649, eq. 1), of teacher p and
student q, in nats a token:

    JSD_beta = beta KL(p || m) + (1 - beta) KL(q || m)      m = beta p + (1 - beta) q
    beta 0: KL(p || q), forward;   beta 1: KL(q || p), reverse                                (its limits)

A limit is JSD_beta divided by beta, or by 1 - beta, as in the paper. With k likeliest tokens of the teacher
both distributions have k + 1 outcomes: those tokens, and one for all others. By the log-sum inequality the
divergence of these is at most that of whole distributions; it is zero where both agree on the k tokens.
This is the loss of word-level distillation (Hinton et al. 2015, arXiv:1503.02531) without a temperature."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.methods import DistillSpec
from finewright.train.methods.setup import Offline, OnPacked
from finewright.train.teacher import TopK

_TOKENS_AT_ONCE = 256
"""As in teacher.py: their logits are made, used and dropped, and made again in the backward pass."""
_LEAST_REST = 1e-9
"""Probability of all other tokens, where rounding of the k leaves none."""


@dataclass(frozen=True, slots=True)
class TaughtBatch(OnPacked):
    """Packed rows, and what the teacher says of their learned tokens."""

    taught: TopK


class Distill(Offline):
    """Learn what the teacher finds likely after each token of given answers or documents."""

    spec: DistillSpec

    def prepare(self, lm: LM, steps: Iterator[Sequence[Example]], max_tokens: int | None) -> None:
        """What the teacher says of every row, once."""
        assert self.setup.teacher is not None
        rows = ([s for row in step for s in row.sequences] for step in steps)
        size = num_tokens(lm)
        k = min(self.spec.top_k, size)
        self.setup.taught.compute(self.setup.teacher, rows, k=k, size=size, max_tokens=max_tokens)

    def batch(self, lm: LM, rows: Sequence[Example]) -> TaughtBatch:
        """The rows end to end, with what was said of them."""
        packed = lm.pack([row.sequences for row in rows])
        return TaughtBatch(
            packed, self.setup.taught.of((s for r in rows for s in r.sequences), lm.device)
        )

    def loss(self, lm: LM, batch: TaughtBatch) -> tuple[Tensor, dict[str, float]]:
        """Mean over the batch's learned tokens."""
        states = lm.compute_states(batch.packed)[batch.packed.sources]
        given = (torch.split(each, _TOKENS_AT_ONCE) for each in (states, *batch.taught))
        losses = [
            checkpoint(_of_top_k, lm, self.spec.beta, *part, use_reentrant=False)
            for part in zip(*given, strict=True)
        ]
        return torch.cat(cast("list[Tensor]", losses)).mean(), {}

    def weight(self, batch: TaughtBatch) -> float:
        """Its learned tokens."""
        return float(batch.num_trained)


def num_tokens(lm: LM) -> int:
    """Tokens that the head knows; models of one tokenizer may pad it differently."""
    return int(lm.model.get_output_embeddings().weight.shape[0])


def _of_top_k(lm: LM, beta: float, states: Tensor, tokens: Tensor, teacher: Tensor) -> Tensor:
    student = lm.logits(states).float().log_softmax(-1).gather(-1, tokens)
    return divergence(with_rest(teacher), with_rest(student), beta)


def with_rest(logps: Tensor) -> Tensor:
    """Log-probabilities (N, k) of some tokens, and of all others together: (N, k + 1)."""
    rest = (1 - logps.exp().sum(-1, keepdim=True)).clamp(min=_LEAST_REST).log()
    return torch.cat((logps, rest), -1)


def divergence(teacher: Tensor, student: Tensor, beta: float) -> Tensor:
    """Of log-probabilities (N, V): nats of each token, (N,)."""
    if beta == 0.0:
        return _kl(teacher, student)
    if beta == 1.0:
        return _kl(student, teacher)
    both = torch.stack((teacher + math.log(beta), student + math.log1p(-beta)))
    mixture = both.logsumexp(0)
    return beta * _kl(teacher, mixture) + (1 - beta) * _kl(student, mixture)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p.exp() * (p - q)).sum(-1)
