"""PPO is its papers' formulas in float64: rewards, GAE, whitening, clipped losses, and the price of KL."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from definition import Definition
from torch import Tensor, nn
from updates import WAYS, adapted, assert_same, method_of, prompts, setup_of, taken, updates_of

import tiny
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.example import EncodedRow
from finewright.lm.model import LM
from finewright.schema.adapter import FullSpec
from finewright.schema.methods import PPOSpec
from finewright.train.loop import measure_held_out_loss
from finewright.train.methods.ppo import PPO
from finewright.train.rollouts import Rollout, roll_out

pytestmark = pytest.mark.torch

ROWS = prompts(6, 3, 9, 4)
SHARED = {
    "rewards": ("valid_json",),
    "max_new_tokens": 7,
    "num_generations": 3,
    "temperature": 0.8,
    "num_ppo_epochs": 2,
}
SPECS = {
    "usual": PPOSpec(**SHARED, kl_coef=0.2),
    "discounted": PPOSpec(**SHARED, gamma=0.9, lam=0.7, vf_coef=0.5, cliprange=0.1),
    "one step": PPOSpec(**SHARED, lam=0.0, kl_coef=0.0, cliprange_value=0.05),
    "whole return": PPOSpec(**SHARED, lam=1.0, vf_coef=1.0),
}


class Answer(NamedTuple):
    """What is known of an answer before the first update, token by token."""

    row: EncodedRow
    before: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    kl: float


def headed(method: PPO, seed: int) -> nn.Linear:
    """The method's value head, as if it had learned."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in method.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return method.value_head


def twin_of(head: nn.Linear) -> nn.Linear:
    twin = nn.Linear(head.in_features, 1).double()
    twin.load_state_dict(head.state_dict())
    return twin


def values_of(defined: Definition, head: nn.Linear, row: EncodedRow) -> Tensor:
    """V where each learned token is chosen."""
    sources = [t - 1 for t in range(1, len(row.input_ids)) if row.trained[t]]
    values: Tensor = head(defined.states(row)[sources])[:, 0]
    return values


@torch.no_grad()
def judged(
    defined: Definition, head: nn.Linear, row: EncodedRow, reward: float, spec: PPOSpec
) -> Answer:
    """GAE as the sum it abbreviates: A_t = sum over l of (gamma lam)^l d_{t+l}."""
    logps = defined.logps(row, temperature=spec.temperature)
    with defined.base():
        away = logps - defined.logps(row, temperature=spec.temperature)
    values, last = values_of(defined, head, row), len(logps) - 1
    earned = [
        float(-spec.kl_coef * away[t] + (reward if t == last else 0.0)) for t in range(last + 1)
    ]
    after = [*values.tolist()[1:], 0.0]
    d = [r + spec.gamma * v for r, v in zip(earned, after, strict=True)]
    errors = [one - v for one, v in zip(d, values.tolist(), strict=True)]
    decay = spec.gamma * spec.lam
    advantages = torch.tensor(
        [sum(decay**k * error for k, error in enumerate(errors[t:])) for t in range(len(errors))],
        dtype=torch.float64,
    )
    return Answer(row, logps, values, advantages, advantages + values, float(away.sum()))


def whitened(answers: Sequence[Answer]) -> list[Answer]:
    advantages = torch.cat([answer.advantages for answer in answers])
    mean = advantages.sum() / len(advantages)
    spread = ((advantages - mean) ** 2).sum().div(len(advantages)).sqrt()
    return [a._replace(advantages=(a.advantages - mean) / (spread + 1e-8)) for a in answers]


def by_formula(
    defined: Definition, head: nn.Linear, answers: Sequence[Answer], spec: PPOSpec
) -> Tensor:
    policy, value = [], []
    for answer in answers:
        ratio = (defined.logps(answer.row, temperature=spec.temperature) - answer.before).exp()
        low, high = 1 - spec.cliprange, 1 + spec.cliprange
        plain, clipped = ratio * answer.advantages, ratio.clamp(low, high) * answer.advantages
        policy.append(-torch.where(plain < clipped, plain, clipped))
        values = values_of(defined, head, answer.row)
        low, high = answer.values - spec.cliprange_value, answer.values + spec.cliprange_value
        near = torch.where(values < low, low, torch.where(values > high, high, values))
        errors = (values - answer.returns) ** 2, (near - answer.returns) ** 2
        value.append(torch.where(errors[0] > errors[1], *errors))
    return torch.cat(policy).mean() + spec.vf_coef * 0.5 * torch.cat(value).mean()


def rollouts_of(lm: LM, spec: PPOSpec) -> tuple[Rollout, ...]:
    """What the method samples with the same seed."""
    setup = setup_of(lm)
    assert setup.chat is not None
    assert setup.rewards is not None
    return roll_out(lm, setup.chat, setup.rewards, ROWS, spec, 7).rollouts


def answers_of(
    defined: Definition, head: nn.Linear, rollouts: Iterable[Rollout], spec: PPOSpec
) -> list[Answer]:
    return [
        judged(defined, head, row, reward, spec)
        for rollout in rollouts
        for row, reward in zip(rollout.rows, rollout.rewards, strict=True)
    ]


def moved(lm: LM) -> None:
    generator = torch.Generator().manual_seed(5)
    for parameter in lm.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_both_updates_are_the_formulas_in_float64(spec: PPOSpec, way: str) -> None:
    lm = adapted(way)
    method: Any = method_of(spec, lm)
    head = headed(method, 1)
    defined, twin = Definition(lm), twin_of(head)
    answers = whitened(answers_of(defined, twin, rollouts_of(lm, spec), spec))
    first, second = updates_of(method, lm, ROWS, WAYS[way])

    true = defined.update(by_formula(defined, twin, answers, spec), list(twin.parameters()))
    assert_same(taken(method, lm, first), true)

    moved(lm)
    twin = twin_of(headed(method, 2))
    defined.follow(lm)
    true = defined.update(by_formula(defined, twin, answers, spec), list(twin.parameters()))
    assert_same(taken(method, lm, second), true)
    bounds = [method.loss(lm, batch)[1]["clip_fraction"] for batch in second]
    assert 0.05 < max(bounds) < 0.8


def kl_of(lm: LM, method: Any) -> float:
    """KL to the base an answer, by the definition."""
    twin = twin_of(method.value_head)
    answers = answers_of(Definition(lm), twin, rollouts_of(lm, method.spec), method.spec)
    return sum(answer.kl for answer in answers) / len(answers)


def test_kl_is_counted_per_answer() -> None:
    lm = adapted()
    method: Any = method_of(SPECS["usual"], lm)
    (batch,), _ = updates_of(method, lm, ROWS, None)
    assert batch.metrics["kl"] == pytest.approx(kl_of(lm, method), rel=1e-4)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("share", "factor"), [(0.01, 1.02), (1 / 1.1, 1.01), (1 / 0.9, 0.99), (100.0, 0.98)]
)
def test_the_price_of_kl_is_steered_to_the_target(share: float, factor: float, way: str) -> None:
    """By 0.1 of the error, of which at most 0.2 counts; once the updates are done."""
    lm = adapted(way)
    method: Any = method_of(SPECS["usual"], lm)
    target = share * kl_of(lm, method)
    assert target > 0
    method = method_of(SPECS["usual"].model_copy(update={"target_kl": target}), lm)
    for _ in updates_of(method, lm, ROWS, WAYS[way]):
        assert method.kl_coef == 0.2
    assert method.kl_coef == pytest.approx(0.2 * factor, rel=1e-5)


def test_without_a_target_the_price_stays() -> None:
    lm = adapted()
    method: Any = method_of(SPECS["usual"], lm)
    list(updates_of(method, lm, ROWS, None))
    assert method.kl_coef == 0.2


def test_a_look_at_held_out_answers_does_not_steer() -> None:
    lm = adapted()
    method: Any = method_of(SPECS["usual"].model_copy(update={"target_kl": 0.5}), lm)
    measure_held_out_loss(lm, method, ROWS, batch_size=2, max_tokens=None)
    assert method.kl_coef == 0.2


def test_the_first_update_is_on_policy_whatever_the_dropout() -> None:
    lm = adapted(dropout=0.5)
    method: Any = method_of(SPECS["usual"], lm)
    updates = iter(updates_of(method, lm, ROWS, None))
    (batch,) = next(updates)
    ratio = (lm.token_logps(batch.packed, 0.8) - batch.before).exp()
    assert ratio.allclose(torch.ones(()), atol=1e-5)
    assert method.loss(lm, batch)[1]["clip_fraction"] == 0
    (batch,) = next(updates)  # nothing has moved in between
    assert method.loss(lm, batch)[1]["clip_fraction"] == 0


def test_kl_to_a_base_that_is_gone_is_not_called_zero() -> None:
    model = tiny.tiny_model("llama")
    lm = LM(model, add_adapter(model, FullSpec(), seed=0))
    method: Any = method_of(SPECS["one step"], lm)
    (batch,), _ = updates_of(method, lm, ROWS, None)
    assert "kl" not in method.loss(lm, batch)[1]
