"""Steps of a private training, against units that are computed, clipped and summed one by one."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.differential_privacy import DifferentialPrivacySpec
from finewright.schema.methods import DPOSpec, SFTSpec
from finewright.schema.train import TrainSettings
from finewright.train.loop import TrainStep
from finewright.train.methods.setup import Setup, method_of
from finewright.train.optimizer import Optimizer
from finewright.train.privacy import steps
from finewright.train.privacy.noise import Chance
from finewright.train.privacy.planned import PrivatePlan, plan_privacy
from finewright.train.privacy.steps import clip_and_sum, train_private
from finewright.train.privacy.units import Unit
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer, put_back, state_of

pytestmark = pytest.mark.torch

LENGTHS = [9, 4, 14, 7, 3, 11, 5, 8]
KEY = b"k" * 32


def settings(kind: type[TrainSettings] = SFTSpec, **privacy: Any) -> Any:
    return kind(
        adapter=LoraSpec(r=4, alpha=8),
        learning_rate=0.01,
        batch_size=3,
        max_steps=6,
        privacy=DifferentialPrivacySpec(**{"epsilon": 8.0, "delta": 1e-2, **privacy}),
    )


def lm_of(family: str = "llama") -> LM:
    model = tiny.tiny_model(family)
    adapters = add_lora(model, LoraSpec(r=4, alpha=8), seed=1)
    generator = torch.Generator().manual_seed(2)
    for adapter in adapters.values():
        adapter.lora_B.data.normal_(std=0.1, generator=generator)
    return LM(model, adapters)


def demonstrations() -> list[Example]:
    rows = tiny.random_rows(LENGTHS)
    return [Example((row,), columns={"who": n % 3}) for n, row in enumerate(rows)]


def pairs() -> list[Example]:
    found = []
    for number, length in enumerate(LENGTHS[:5]):
        prompt, good, bad = tiny.random_rows([4, length, 6], seed=number)
        sides = (
            EncodedRow(
                prompt.input_ids + answer.input_ids, (False,) * 4 + (True,) * len(answer.input_ids)
            )
            for answer in (good, bad)
        )
        found.append(Example(tuple(sides), is_pair=True))
    return found


def taken(lm: LM) -> dict[Tensor, Tensor]:
    found = {p: p.grad.clone() for p in lm.parameters()}
    for p in lm.parameters():
        p.grad = None
    return found


def one_by_one(lm: LM, method: Any, units: list[Unit], most: float) -> dict[Tensor, Tensor]:
    """Each unit's mean loss by the plain method, a row at a time; its gradient clipped, and all summed."""
    total = {p: torch.zeros_like(p) for p in lm.parameters()}
    for unit in units:
        for row in unit.rows:
            loss, _ = method.loss(lm, method.batch(lm, [row]))
            (loss / len(unit.rows)).backward()
        gradient = taken(lm)
        norm = torch.stack([g.square().sum() for g in gradient.values()]).sum().sqrt()
        for p, g in gradient.items():
            total[p] += g * min(1.0, most / float(norm))
    return total


def units_of_two(rows: list[Example]) -> list[Unit]:
    return [Unit(tuple(rows[i : i + 2])) for i in range(0, len(rows), 2)]


@pytest.mark.parametrize("family", ["llama", "lfm2"])
@pytest.mark.parametrize("kind", [SFTSpec, DPOSpec])
@pytest.mark.parametrize("together", [False, True], ids=["rows", "units of two rows"])
def test_gradients_are_clipped_by_unit(
    together: bool, kind: type[TrainSettings], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pairs() if kind is DPOSpec else demonstrations()
    units = units_of_two(rows) if together else [Unit((row,)) for row in rows]
    lm = lm_of(family)
    method = method_of(settings(kind), Setup(lm))
    method.prepare(lm, iter([rows]), None)
    norms = []
    for most in (1e-3, 5.0, 1e9):
        true = one_by_one(lm, method, units, most)
        for parts in ([units], [units[:1], units[1:]]):
            seen = clip_and_sum(lm, method, parts, most)  # type: ignore[arg-type]
            norms.append(seen["clipped"])
            whole = torch.stack([g.norm() for g in true.values()]).norm()
            apart = [(g - true[p]).norm() / whole for p, g in taken(lm).items()]
            assert torch.stack(apart).norm() <= 1e-4
    assert norms[0] == 1.0
    assert norms[-1] == 0.0


def test_one_unit_changes_a_step_by_the_clipping_norm_at_most() -> None:
    lm, rows = lm_of(), demonstrations()
    method: Any = method_of(settings(), Setup(lm))
    units = [Unit((row,)) for row in rows]
    clip_and_sum(lm, method, [units], 0.5)
    whole = taken(lm)
    for left_out in range(len(units)):
        clip_and_sum(lm, method, [units[:left_out] + units[left_out + 1 :]], 0.5)
        apart = [(whole[p] - g).square().sum() for p, g in taken(lm).items()]
        assert torch.stack(apart).sum().sqrt() <= 0.5 * (1 + 1e-5)


class Live:
    """A training as before its first step."""

    def __init__(self, spec: Any, rows: list[Example]) -> None:
        self.lm, self.rows = lm_of(), rows
        self.method: Any = method_of(spec, Setup(self.lm))
        self.optimizer = make_optimizer(self.lm, self.method, weight_decay=0.0)
        found = plan_privacy(spec, rows).plan
        assert found is not None
        self.plan: PrivatePlan = found
        self.schedule = schedule_of(spec, [unit.num_tokens for unit in found.units])

    def steps(self, start: int = 0) -> Iterator[TrainStep]:
        return train_private(
            self.lm,
            self.method,
            self.plan,
            Chance(KEY),
            self.schedule,
            self.optimizer,
            start_step=start,
            micro_batch_tokens=20,
        )


def test_a_training_that_is_taken_up_again_ends_bitwise_the_same() -> None:
    whole, cut, again = (Live(settings(), demonstrations()) for _ in range(3))
    uncut = [step.loss for step in whole.steps()]
    for step in cut.steps():
        if step.step == 2:
            break
    put_back(state_of(cut.lm, cut.method, cut.optimizer), again.lm, again.method, again.optimizer)
    assert [step.loss for step in again.steps(2)] == uncut[2:]
    for found, true in zip(again.lm.parameters(), whole.lm.parameters(), strict=True):
        assert torch.equal(found, true)


def test_a_step_that_draws_nobody_is_noise_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(settings(), demonstrations())
    monkeypatch.setattr(Chance, "units", lambda self, step, count, rate: [])
    seen: list[Tensor] = []

    def watched(optimizer: Optimizer) -> None:
        seen.append(torch.cat([p.grad.flatten() for p in optimizer.parameters]))

    monkeypatch.setattr(Optimizer, "step", watched)
    first = demonstrations()[:1]
    with torch.no_grad():
        loss, _ = live.method.loss(live.lm, live.method.batch(live.lm, first))
    step = next(live.steps())
    assert (step.metrics["units"], step.tokens) == (0.0, 0)
    assert step.loss == pytest.approx(float(loss))
    wanted = live.plan.mechanism.sigma * live.plan.spent.max_grad_norm / 3
    assert float(seen[0].std()) == pytest.approx(wanted, rel=0.05)
    assert step.grad_norm == pytest.approx(float(seen[0].norm()), rel=1e-4)


def test_gradients_are_held_of_few_units_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lm, units = lm_of(), [Unit((row,)) for row in demonstrations()]
    monkeypatch.setattr(steps, "_KEPT_BYTES", 2 * 4 * sum(p.numel() for p in lm.parameters()))
    parts = steps._parts(lm, units, None)
    assert [len(part) for part in parts] == [2, 2, 2, 2]
    assert sorted(id(unit) for part in parts for unit in part) == sorted(map(id, units))


def test_a_gradient_that_is_not_finite_is_not_summed() -> None:
    lm = lm_of()
    lm.parameters()[0].data[0, 0] = torch.nan
    method: Any = method_of(settings(), Setup(lm))
    with pytest.raises(FloatingPointError):
        clip_and_sum(lm, method, [[Unit((demonstrations()[0],))]], 1.0)
