"""Group-relative policy optimisation (Shao et al. 2024, arXiv:2402.03300), with DAPO's and Dr. GRPO's means.

Each prompt gets G answers; an answer's advantage is its reward among them, A = (R - mean) / (std + 1e-4).
With the ratio w = p / p_old of a token:

    l = -min(w A, clip(w, 1 - epsilon, 1 + epsilon_high) A) + beta KL(p || p_base)

    grpo      mean over answers of the mean of l over their tokens
    dapo      mean of l over all tokens of the step (Yu et al. 2025, arXiv:2503.14476)
    dr_grpo   sum of l over tokens / (answers x max_new_tokens), with A = R - mean (Liu et al. 2025,
              arXiv:2503.20783)

An answer to a prompt whose answers all earn the same teaches nothing. p_base is the adapter switched off."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finewright.lm.batch import PackedBatch, sums_of
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.methods import GRPOSpec
from finewright.train.methods.setup import Online, OnPacked
from finewright.train.rollouts import (
    Rollout,
    kl_to_base,
    logps_before,
    logps_of_base,
    logps_of_sampler,
    sampler_distance,
)


@dataclass(frozen=True, slots=True)
class GroupedAnswers(OnPacked):
    """Answers with their advantages (B,); log p by the sampler, and where needed before the step and under
    the base (N,)."""

    advantages: Tensor
    sampled: Tensor
    before: Tensor | None
    base: Tensor | None
    metrics: Mapping[str, float]


class GRPO(Online):
    """Make the better ones of a prompt's answers likelier."""

    spec: GRPOSpec

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[GroupedAnswers]]:
        """Sample answers, then `num_iterations` updates on them."""
        found = self.sample(lm, rows, seed)
        batches = [self._group(lm, part, found.metrics) for part in found.parts(max_tokens)]
        for _ in range(self.spec.num_iterations):
            yield batches

    def loss(self, lm: LM, batch: GroupedAnswers) -> tuple[Tensor, dict[str, float]]:
        """The mean that `loss_type` says."""
        logps = lm.token_logps(batch.packed, self.spec.temperature)
        before = logps.detach() if batch.before is None else batch.before
        ratio = (logps - before).exp()
        advantages = batch.advantages[batch.packed.sequence_of]
        high = self.spec.epsilon if self.spec.epsilon_high is None else self.spec.epsilon_high
        clipped = ratio.clamp(1 - self.spec.epsilon, 1 + high)
        loss = -torch.minimum(ratio * advantages, clipped * advantages)
        bound = (clipped * advantages < ratio * advantages).float()
        apart = sampler_distance(batch.sampled, before)
        metrics = {**batch.metrics, **apart, "clip_fraction": float(bound.mean())}
        if batch.base is not None:
            kl = kl_to_base(logps, batch.base)
            loss = loss + self.spec.beta * kl
            metrics["kl"] = float(kl.detach().mean())
        return self._mean(loss, batch.packed), metrics

    def weight(self, batch: GroupedAnswers) -> float:
        """What its mean is taken over: answers, or tokens with dapo."""
        if self.spec.loss_type == "dapo":
            return float(batch.num_trained)
        return float(batch.packed.num_sequences)

    def _mean(self, loss: Tensor, packed: PackedBatch) -> Tensor:
        if self.spec.loss_type == "dapo":
            return loss.mean()
        sums = sums_of(loss, packed)
        if self.spec.loss_type == "dr_grpo":
            return sums.mean() / self.spec.max_new_tokens
        lengths = sums_of(torch.ones_like(loss), packed)
        return (sums / lengths.clamp(min=1)).mean()

    def _group(
        self, lm: LM, part: Sequence[Rollout], metrics: Mapping[str, float]
    ) -> GroupedAnswers:
        rows = [rollout.rows for rollout in part]
        packed, temperature = lm.pack(rows), self.spec.temperature
        rewards = torch.tensor([rollout.rewards for rollout in part], device=lm.device)
        return GroupedAnswers(
            packed=packed,
            advantages=advantages_of(rewards, scaled=self.spec.loss_type != "dr_grpo").flatten(),
            sampled=logps_of_sampler(part, lm.device),
            before=logps_before(lm, packed, temperature) if self.spec.num_iterations > 1 else None,
            base=logps_of_base(lm, packed, temperature) if self.spec.beta else None,
            metrics=metrics,
        )


def advantages_of(rewards: Tensor, *, scaled: bool) -> Tensor:
    """Rewards (prompts, G) among the answers to their prompt; `scaled` by their deviation."""
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True) + 1e-4) if scaled else centred
