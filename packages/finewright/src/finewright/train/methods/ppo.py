"""Proximal policy optimisation as RLHF uses it (Schulman et al. 2017, arXiv:1707.06347; Ziegler et al. 2019,
arXiv:1909.08593; Stiennon et al. 2020, arXiv:2009.01325).

Policy, value head and reference share one base: the head reads the last hidden states, and the reference is
the adapter switched off. An answer's tokens earn

    r_t = -kl_coef (log p_t - log p_base,t),   and the last one the answer's reward besides.

Advantages are GAE's (arXiv:1506.02438), whitened over the step; values and returns stay as they are:

    d_t = r_t + gamma V_{t+1} - V_t,   A_t = d_t + gamma lam A_{t+1},   return_t = A_t + V_t

With w = p / p_old and v clipped to V_old +- cliprange_value:

    loss = mean(-min(w A, clip(w, 1 +- cliprange) A)) + vf_coef / 2 mean(max((V - return)^2, (v - return)^2))

Where no base is left (`adapter: none`), `kl` is unknown and not among the metrics.

With `target_kl`, kl_coef is steered (Ziegler et al., section 2.2) by 1 + 0.1 clip(KL / target - 1, +-0.2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from finewright.lm.batch import PackedBatch, sums_of
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.methods import PPOSpec
from finewright.train.methods.setup import Online, OnPacked, Setup
from finewright.train.ranks import ALONE, Ranks
from finewright.train.rollouts import Rollout, logps_of_base, logps_of_sampler, sampler_distance

_STEER, _MOST = 0.1, 0.2


@dataclass(frozen=True, slots=True)
class PPOAnswers(OnPacked):
    """Answers with, for each of their N tokens: log p and V before the step, advantage and return."""

    before: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    metrics: Mapping[str, float]


class PPO(Online):
    """Make answers likelier that earn more than the value head expects."""

    spec: PPOSpec

    def __init__(self, spec: PPOSpec, setup: Setup) -> None:
        super().__init__(spec, setup)
        self.kl_coef = spec.kl_coef
        width = setup.lm.model.config.get_text_config().hidden_size
        self.value_head = nn.Linear(width, 1, device=setup.lm.device)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[PPOAnswers]]:
        """Sample answers, then `num_ppo_epochs` updates on them."""
        found = self.sample(lm, rows, seed)
        batches = [self._answers(lm, part, found.metrics) for part in found.parts(max_tokens)]
        batches = whiten(batches, self.setup.ranks)
        for _ in range(self.spec.num_ppo_epochs):
            yield batches
        # Only here, where a look at held-out answers never comes.
        self._steer(batches)

    def loss(self, lm: LM, batch: PPOAnswers) -> tuple[Tensor, dict[str, float]]:
        """Mean over the answers' tokens."""
        logps, values = self._logps_and_values(lm, batch.packed)
        ratio = (logps - batch.before).exp()
        clipped = ratio.clamp(1 - self.spec.cliprange, 1 + self.spec.cliprange)
        gains = torch.minimum(ratio * batch.advantages, clipped * batch.advantages)
        near = batch.values + (values - batch.values).clamp(
            -self.spec.cliprange_value, self.spec.cliprange_value
        )
        errors = torch.maximum((values - batch.returns) ** 2, (near - batch.returns) ** 2)
        value_loss = 0.5 * errors.mean()
        bound = (clipped * batch.advantages < ratio * batch.advantages).float()
        metrics = {
            **batch.metrics,
            "kl_coef": self.kl_coef,
            "clip_fraction": float(bound.mean()),
            "value_loss": float(value_loss.detach()),
        }
        return self.spec.vf_coef * value_loss - gains.mean(), metrics

    def weight(self, batch: PPOAnswers) -> float:
        """Tokens of its answers."""
        return float(batch.num_trained)

    def parameters(self) -> list[nn.Parameter]:
        """The value head's."""
        return list(self.value_head.parameters())

    def state(self) -> dict[str, Tensor]:
        """The price of KL as it stands."""
        return {"kl_coef": torch.tensor(self.kl_coef, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take the price of KL back."""
        self.kl_coef = float(state["kl_coef"])

    def _logps_and_values(self, lm: LM, packed: PackedBatch) -> tuple[Tensor, Tensor]:
        states = lm.compute_states(packed)[packed.sources]
        values = self.value_head(states.float()).squeeze(-1)
        return lm.logps(states, packed.targets, self.spec.temperature), values

    @torch.no_grad()
    def _answers(self, lm: LM, part: Sequence[Rollout], metrics: Mapping[str, float]) -> PPOAnswers:
        rows = [rollout.rows for rollout in part]
        packed = lm.pack(rows)
        before, values = self._logps_and_values(lm, packed)
        apart = sampler_distance(logps_of_sampler(part, lm.device), before)
        away, seen = torch.zeros_like(before), {**metrics, **apart}
        if lm.has_reference or self.spec.kl_coef or self.spec.target_kl:
            away = before - logps_of_base(lm, packed, self.spec.temperature)
            seen["kl"] = float(sums_of(away, packed).mean())
        scores = torch.tensor([r for rollout in part for r in rollout.rewards], device=lm.device)
        rewards = token_rewards(scores, -self.kl_coef * away, packed)
        advantages = gae(rewards, values, packed, gamma=self.spec.gamma, lam=self.spec.lam)
        return PPOAnswers(packed, before, values, advantages, advantages + values, seen)

    def _steer(self, batches: Sequence[PPOAnswers]) -> None:
        if self.spec.target_kl is not None:
            ranks = self.setup.ranks
            answers = ranks.sum(sum(batch.packed.num_sequences for batch in batches))
            total = sum(b.metrics["kl"] * b.packed.num_sequences for b in batches)
            kl = ranks.sum(total) / answers
            error = max(-_MOST, min(_MOST, kl / self.spec.target_kl - 1))
            self.kl_coef *= 1 + _STEER * error


def token_rewards(scores: Tensor, each: Tensor, packed: PackedBatch) -> Tensor:
    """What each token earns (N,): `each` (N,), and at an answer's last token its score, of scores (B,)."""
    rewards = each.clone()
    rewards[_ends(packed)] += scores[packed.sequence_of[_ends(packed)]]
    return rewards


def gae(
    rewards: Tensor, values: Tensor, packed: PackedBatch, *, gamma: float, lam: float
) -> Tensor:
    """Advantages (N,) of rewards and values (N,), from the end of each answer to its start."""
    last = set(_ends(packed).tolist())
    earned, valued = rewards.tolist(), values.tolist()
    advantages = [0.0] * len(earned)
    after = value_after = 0.0
    for t in reversed(range(len(earned))):
        if t in last:
            after = value_after = 0.0
        after = earned[t] + gamma * value_after - valued[t] + gamma * lam * after
        advantages[t], value_after = after, valued[t]
    return torch.tensor(advantages, device=rewards.device)


def whiten(batches: Sequence[PPOAnswers], ranks: Ranks = ALONE) -> list[PPOAnswers]:
    """The batches with advantages of mean 0 and deviation 1 over all ranks' tokens."""
    own = [batch.advantages for batch in batches]
    all_of_them = ranks.join(torch.cat(own) if own else torch.zeros(0))
    mean, spread = all_of_them.mean(), all_of_them.std(correction=0) + 1e-8
    return [replace(batch, advantages=(batch.advantages - mean) / spread) for batch in batches]


def _ends(packed: PackedBatch) -> Tensor:
    """Where each answer's last token stands among the N."""
    after = torch.cat((packed.sequence_of[1:], packed.sequence_of.new_tensor([-1])))
    return (packed.sequence_of != after).nonzero().squeeze(-1)
