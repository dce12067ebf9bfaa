"""Signs of trouble on made-up curves: each is told once and names a setting; healthy noise is not."""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from finewright.schema.common import Problem
from finewright.schema.methods import GRPOSpec, PPOSpec
from finewright.train.watch import Watch

Curves = dict[str, Callable[[int], float]]


@dataclass(frozen=True)
class Made:
    step: int
    loss: float
    metrics: dict[str, float] = field(default_factory=dict)


def steps(curves: Curves, number: int, eval_every: int = 0) -> Iterator[Made]:
    for step in range(1, number + 1):
        at_look = eval_every and step % eval_every == 0
        metrics = {
            name: curve(step)
            for name, curve in curves.items()
            if name != "loss" and (name != "eval_loss" or at_look)
        }
        yield Made(step, curves["loss"](step) if "loss" in curves else 0.0, metrics)


def said(curves: Curves, number: int, eval_every: int = 0) -> list[Problem]:
    watch = Watch(
        PPOSpec.model_construct() if "value_loss" in curves else GRPOSpec.model_construct()
    )
    return [p for step in steps(curves, number, eval_every) for p in watch.look(step)]


def noisy(curve: Callable[[int], float], sigma: float, seed: int) -> Callable[[int], float]:
    """Multiplied by log-normal noise."""
    rng = random.Random(seed)  # noqa: S311 - noise
    return lambda step: curve(step) * math.exp(rng.gauss(0, sigma))


def decay(high: float, low: float, steps: float) -> Callable[[int], float]:
    return lambda step: low + (high - low) * math.exp(-step / steps)


def line(start: float, end: float, steps: int) -> Callable[[int], float]:
    return lambda step: start + (end - start) * min(step / steps, 1.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("sigma", "low"), [(0.02, 0.9), (0.3, 0.9), (0.6, 0.05)], ids=["steady", "noisy", "wild"]
)
def test_a_healthy_supervised_run_raises_nothing(seed: int, sigma: float, low: float) -> None:
    curves = {
        "loss": noisy(decay(2.5, low, 100), sigma, seed),
        "eval_loss": noisy(decay(2.5, 1.1, 100), 0.01, seed + 100),
    }
    assert said(curves, 1000, eval_every=50) == []


@pytest.mark.parametrize("seed", range(8))
def test_batches_of_two_kinds_raise_nothing(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - noise
    kinds = [rng.random() < 0.15 for _ in range(1001)]
    curves = {"loss": noisy(lambda step: 3.0 if kinds[step] else 0.3, 0.1, seed)}
    assert said(curves, 1000) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_healthy_preference_run_raises_nothing(seed: int) -> None:
    curves = {
        "loss": noisy(decay(0.69, 0.3, 100), 0.3, seed),
        "rewards_chosen": noisy(line(0.1, 0.4, 300), 1.0, seed + 1),
        "rewards_rejected": noisy(line(-0.1, -3.0, 300), 0.5, seed + 2),
        "accuracy": noisy(line(0.5, 0.9, 300), 0.1, seed + 3),
        "margin": noisy(line(0.2, 3.4, 300), 0.5, seed + 4),
        "logps_chosen": noisy(line(-80, -76, 300), 0.3, seed + 5),
        "logps_rejected": noisy(line(-80, -110, 300), 0.3, seed + 6),
    }
    assert said(curves, 500) == []


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_a_healthy_online_run_raises_nothing(seed: int, method: str) -> None:
    rng = random.Random(seed)  # noqa: S311 - noise
    kl_end = 8.0 if method == "ppo" else 0.1
    curves: Curves = {
        "loss": lambda _: rng.gauss(0, 0.02) + (0.5 if rng.random() < 0.01 else 0.0),
        "reward": noisy(line(0.2, 0.8, 300), 0.3, seed + 1),
        "reward_std": lambda _: max(0.0, rng.gauss(0.2, 0.15)),
        "kl": noisy(line(kl_end / 100, kl_end, 400), 0.4, seed + 2),
        "length": noisy(line(60, 90, 300), 0.2, seed + 3),
        "stopped": lambda _: min(1.0, max(0.0, rng.gauss(0.9, 0.1))),
        "clip_fraction": lambda _: abs(rng.gauss(0.05, 0.05)),
        "entropy": noisy(line(1.2, 0.4, 400), 0.2, seed + 4),
        "sampler_k1": lambda _: rng.gauss(0, 2e-7),
        "sampler_k2": lambda _: abs(rng.gauss(0, 1e-12)),
    }
    if method == "ppo":
        curves["value_loss"] = noisy(decay(2.0, 0.1, 60), 0.5, seed + 5)
        curves["reward_std"] = lambda _: 0.0
    assert said(curves, 500) == []


def spiked(level: float, *at: int) -> Callable[[int], float]:
    return lambda step: level if step in at else 1.0 + 0.1 * (step % 3 - 1)


def u_shaped(step: int) -> float:
    return 1.0 + abs(step - 200) / 1000


SOLVING = noisy(line(0.2, 0.9, 200), 0.1, 0)
TROUBLE: list[tuple[str, Curves, str, str, str]] = [
    (
        "sampler apart",
        {"sampler_k1": lambda _: 0.003, "sampler_k2": lambda _: 4e-4},
        "train.dtype",
        "sampler and trainer differ by 0.028 nats a token by step 1 (k1 0.003, k2 0.0004)",
        "set train.dtype: fp32",
    ),
    (
        "sampler apart to both sides",
        {"sampler_k1": lambda _: 0.0, "sampler_k2": lambda _: 6e-7},
        "train.dtype",
        "more than 0.001",
        "set train.dtype: fp32",
    ),
    (
        "spike",
        {"loss": spiked(9.0, 80, 81)},
        "train.learning_rate",
        "the loss jumped to 9 by step 81, from about 1",
        "lower train.learning_rate",
    ),
    (
        "value spike",
        {"value_loss": spiked(50.0, 80, 81)},
        "train.vf_coef",
        "the value loss jumped to 50 by step 81",
        "train.vf_coef",
    ),
    (
        "overfitting",
        {"loss": noisy(decay(2.0, 0.1, 150), 0.1, 0), "eval_loss": u_shaped},
        "train.early_stopping",
        "the held-out loss rises since step 200 (1, and 1.1 at step 300) while the training loss falls",
        "step 200 was best",
    ),
    (
        "kl a token above the bar",
        {"reward": SOLVING, "kl": line(0.0, 4.0, 400)},
        "train.beta",
        "the KL to the base is 1.01 nats a token",
        "raise train.beta or lower train.learning_rate",
    ),
    (
        "kl a token jumps",
        {"reward": SOLVING, "kl": lambda step: 0.05 if step < 100 else 0.4},
        "train.beta",
        "the KL to the base grew threefold to 0.4 nats a token by step 102",
        "raise train.beta",
    ),
    (
        "kl an answer above the bar",
        {"reward": SOLVING, "kl": line(0.0, 80, 400), "value_loss": lambda _: 1.0},
        "train.kl_coef",
        "nats an answer",
        "raise train.kl_coef",
    ),
    (
        "clipped",
        {"clip_fraction": noisy(lambda _: 0.5, 0.1, 0)},
        "train.learning_rate",
        "of the tokens are clipped",
        "train.num_iterations",
    ),
    (
        "clipped in ppo",
        {"clip_fraction": noisy(lambda _: 0.5, 0.1, 0), "value_loss": lambda _: 1.0},
        "train.learning_rate",
        "of the tokens are clipped",
        "train.num_ppo_epochs",
    ),
    (
        "length",
        {"reward": SOLVING, "length": noisy(line(30, 120, 200), 0.1, 1)},
        "train.rewards",
        "is it length that is rewarded?",
        "read some answers",
    ),
    (
        "endless",
        {"reward": SOLVING, "stopped": line(1.0, 0.3, 200)},
        "train.rewards",
        "the reward rises while fewer answers end",
        "raise train.max_new_tokens",
    ),
    (
        "alike",
        {"reward": lambda _: 0.0, "reward_std": lambda step: 0.2 if step < 50 else 0.0},
        "train.num_generations",
        "all answers to a prompt earned the same (reward 0)",
        "raise train.temperature",
    ),
    (
        "no variety",
        {"entropy": decay(1.5, 0.01, 50)},
        "train.temperature",
        "the entropy of answers fell from 1",
        "raise train.temperature or train.beta",
    ),
    (
        "rewards of chosen fall",
        {
            "rewards_chosen": noisy(line(0, -4, 200), 0.3, 0),
            "rewards_rejected": noisy(line(0, -9, 200), 0.3, 1),
        },
        "train.beta",
        "chosen answers become less likely together with the rejected ones",
        "raise train.beta",
    ),
    (
        "logps of chosen fall",
        {
            "logps_chosen": noisy(line(-80, -160, 200), 0.2, 0),
            "logps_rejected": noisy(line(-80, -240, 200), 0.2, 1),
        },
        "train.beta",
        "chosen answers become less likely together with the rejected ones",
        "raise train.beta",
    ),
]


@pytest.mark.parametrize(
    ("curves", "key", "message", "hint"),
    [row[1:] for row in TROUBLE],
    ids=[row[0] for row in TROUBLE],
)
def test_trouble_is_told_once_with_what_to_change(
    curves: Curves, key: str, message: str, hint: str
) -> None:
    (problem,) = said(curves, 400, eval_every=50)
    assert (problem.level, problem.key) == ("warning", key)
    assert message in problem.message
    assert hint in problem.hint
    assert "\n" not in problem.line()


@pytest.mark.parametrize(
    "curves",
    [
        {"loss": spiked(9.0, 80, 120, 160)},
        {"loss": lambda _: 1.0, "eval_loss": u_shaped},
        {"reward": lambda _: 0.5, "length": line(30, 120, 200)},
        {"reward": lambda _: 0.5, "stopped": line(1.0, 0.3, 200)},
        {
            "rewards_chosen": noisy(line(0, -4, 200), 0.3, 0),
            "rewards_rejected": noisy(line(0, 1, 200), 0.3, 1),
        },
        {"kl": line(0.0, 4.0, 400)},
        {"loss": lambda _: math.nan, "reward": lambda _: math.inf},
    ],
    ids=[
        "odd rows",
        "no training",
        "length alone",
        "stops alone",
        "chosen alone",
        "kto's kl",
        "not finite",
    ],
)
def test_half_a_sign_is_none(curves: Curves) -> None:
    assert said(curves, 400, eval_every=50) == []


def test_a_look_is_cheap() -> None:
    curves: Curves = {"loss": decay(2.0, 1.0, 100), "reward": SOLVING, "kl": lambda _: 0.1}
    curves |= {"length": line(30, 40, 100), "entropy": line(1, 0.8, 100), "reward_std": SOLVING}
    made = list(steps(curves, 1000))
    watch, started = Watch(GRPOSpec.model_construct()), time.process_time()
    for step in made:
        watch.look(step)
    assert time.process_time() - started < 1.0
