"""Signs of trouble in the metrics of a training that runs on without an error.

Each is a rule of thumb with a wide margin, said once: it may miss a slow decline, and it should not cry
over a healthy run with noise. Rules need metrics by name, and are silent about methods without them."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, variance
from typing import NamedTuple, Protocol

from finewright.schema.common import Problem
from finewright.schema.methods import OnlineSettings, PolicyKeys
from finewright.schema.train import TrainSettings

_WINDOW = 200
_ENDS = 20
"""Steps at the start and at the end that are compared, to see what rose or fell."""
_ENOUGH = 30
"""Steps before a step can be told from its like."""
_SIGMAS = 8.0
_LEAST_SPREAD = 0.05
"""Of the log of a loss: even a very steady loss may move by some percent."""
_WORSE = 1.04
"""A held-out loss this much above its best has risen; less is noise of few rows."""
_RISING = 2
_CERTAIN = 3.0
"""Standard errors from start to end: what moved so far has moved."""
_SHORT, _FEW = 5, 10
"""Steps whose median stands for now, where one alone says too little."""
_LARGEST_KL = {"token": 1.0, "answer": 30.0}
_MUCH_CLIPPED = 0.3
_SAMPLER_APART = 1e-3
"""Nats a token, the root of 2 k2. In float32 it lies below 1e-5; rounding to bfloat16 alone is beyond it."""
_FEWER_STOP = 0.2
_ALIKE = 1e-3
_LESS_LIKELY = -1.0
"""beta times the log-ratio of chosen answers: with beta 0.1 they have lost ten nats to the base."""


class Watched(Protocol):
    """What is looked at of a step of the loop."""

    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def loss(self) -> float: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, float]: ...  # noqa: D102


class _Look(NamedTuple):
    """A look at the held-out rows, and the median training loss since the look before."""

    step: int
    held_out: float
    trained: float


@dataclass(slots=True)
class _Series:
    first: list[float] = field(default_factory=list)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    count: int = 0

    def add(self, value: float) -> None:
        if len(self.first) < _ENDS:
            self.first.append(value)
        self.recent.append(value)
        self.count += 1

    def last(self, number: int) -> list[float]:
        return list(self.recent)[-number:]

    @property
    def has_ends(self) -> bool:
        """Are there a start and an end that do not overlap?"""
        return self.count >= 2 * _ENDS

    @property
    def ends(self) -> tuple[float, float]:
        """The mean of the first and of the last steps."""
        return fmean(self.first), fmean(self.last(_ENDS))

    def measure_move(self) -> float:
        """Start to end in standard errors: Welch's t. Zero before the ends are there."""
        if not self.has_ends:
            return 0.0
        start, end = self.ends
        noise = (variance(self.first) + variance(self.last(_ENDS))) / _ENDS
        return (end - start) / math.sqrt(max(noise, 1e-18))


@dataclass(slots=True)
class _History:
    spec: TrainSettings
    step: int = 0
    series: dict[str, _Series] = field(default_factory=dict)
    evaluations: list[_Look] = field(default_factory=list)
    since_look: list[float] = field(default_factory=list)

    def add(self, step: Watched) -> None:
        self.step = step.step
        for name, value in {**step.metrics, "loss": step.loss}.items():
            if math.isfinite(value):
                self.series.setdefault(name, _Series()).add(value)
        self.since_look.append(step.loss)
        held_out = step.metrics.get("eval_loss", math.nan)
        if math.isfinite(held_out):
            self.evaluations.append(_Look(step.step, held_out, median(self.since_look)))
            self.since_look.clear()

    def of(self, name: str) -> _Series:
        return self.series.get(name, _Series())

    def has(self, *names: str) -> bool:
        return all(name in self.series for name in names)

    @property
    def policy(self) -> PolicyKeys:
        """The method's keys that hold a policy back."""
        return self.spec.policy if isinstance(self.spec, OnlineSettings) else PolicyKeys()


class Watch:
    """Looks at each step of one training as it is made."""

    def __init__(self, spec: TrainSettings) -> None:
        self._history = _History(spec)
        self._said: set[Callable[[_History], Problem | None]] = set()

    def look(self, step: Watched) -> list[Problem]:
        """What is wrong as of this step and was not said before; losses that are not finite are left out."""
        self._history.add(step)
        return list(self._find())

    def _find(self) -> Iterator[Problem]:
        for sign in _SIGNS:
            if sign not in self._said and (problem := sign(self._history)):
                self._said.add(sign)
                yield problem


def _raise(key: str) -> str:
    return f"raise train.{key} or " if key else ""


def _any_of(*keys: str) -> str:
    """Those of the keys that the method has."""
    return " or ".join(f"train.{key}" for key in keys if key)


def _warning(key: str, message: str, hint: str) -> Problem:
    return Problem(level="warning", key=key, message=message, hint=hint)


def _loss_spike(history: _History) -> Problem | None:
    if history.has("reward"):
        return None  # a policy's loss lies about zero, and its size says nothing
    usual = _usual_before_spike(history.of("loss").last(_WINDOW))
    if usual is None:
        return None
    now = history.of("loss").recent[-1]
    return _warning(
        "train.learning_rate",
        f"the loss jumped to {now:.3g} by step {history.step}, from about {usual:.3g}",
        "if it does not come back, lower train.learning_rate or raise train.warmup_ratio",
    )


def _value_loss_spike(history: _History) -> Problem | None:
    usual = _usual_before_spike(history.of("value_loss").last(_WINDOW))
    if usual is None:
        return None
    now = history.of("value_loss").recent[-1]
    return _warning(
        "train.vf_coef",
        f"the value loss jumped to {now:.3g} by step {history.step}, from about {usual:.3g}",
        "lower train.learning_rate, train.vf_coef or train.cliprange_value",
    )


def _usual_before_spike(values: Sequence[float]) -> float | None:
    """The median before the last two values, if both are far outside: 8 deviations (1.4826 MAD) of the log.

    One alone is a batch of odd rows; a model that an update has hurt stays hurt for the next step."""
    if len(values) <= _ENOUGH or min(values) <= 0:
        return None
    *before, first, second = map(math.log, values)
    centre = median(before)
    spread = max(1.4826 * median(abs(value - centre) for value in before), _LEAST_SPREAD)
    bar = max(centre + max(_SIGMAS * spread, math.log(2)), max(before) + math.log(1.5))
    return math.exp(centre) if min(first, second) > bar else None


def _overfitting(history: _History) -> Problem | None:
    """Two looks in a row, rising and clearly above the best, while training loss went on falling."""
    evaluations = history.evaluations
    best = min(evaluations, key=lambda look: look.held_out, default=None)
    if best is None or len(evaluations) - evaluations.index(best) <= _RISING:
        return None
    before, now = evaluations[-_RISING:]
    bar = best.held_out + (_WORSE - 1) * abs(best.held_out)
    if not bar < before.held_out <= now.held_out or now.trained >= best.trained:
        return None
    return _warning(
        "train.early_stopping",
        f"the held-out loss rises since step {best.step} ({best.held_out:.3g}, and {now.held_out:.3g} at"
        f" step {now.step}) while the training loss falls: the rows are learned by heart",
        "set train.early_stopping: 2 and train.keep: best+last, or lower train.epochs;"
        f" step {best.step} was best",
    )


def _kl_blow_up(history: _History) -> Problem | None:
    pull, kl_of = history.policy.pull, history.policy.kl_of
    bar = _LARGEST_KL[kl_of]
    values = history.of("kl").last(_SHORT + _ENDS)
    if len(values) < _SHORT or not history.has("reward"):
        return None
    before, now = values[:-_SHORT], median(values[-_SHORT:])
    jumped = len(before) >= _ENDS and now > max(bar / 10, 3 * max(before))
    if now <= bar and not jumped:
        return None
    how = f"grew threefold to {now:.3g}" if jumped else f"is {now:.3g}"
    unit = "an answer" if kl_of == "answer" else "a token"
    return _warning(
        f"train.{pull or 'learning_rate'}",
        f"the KL to the base {how} nats {unit} by step {history.step}: the policy runs away from it",
        f"{_raise(pull)}lower train.learning_rate",
    )


def _sampler_apart(history: _History) -> Problem | None:
    """By the root of the mean square, which is never below the size of k1 and less noisy."""
    if not history.has("sampler_k1", "sampler_k2"):
        return None
    k1, k2 = (fmean(history.of(f"sampler_{name}").last(_SHORT)) for name in ("k1", "k2"))
    apart = math.sqrt(2 * k2)
    if apart <= _SAMPLER_APART:
        return None
    return _warning(
        "train.dtype",
        f"sampler and trainer differ by {apart:.2g} nats a token by step {history.step} (k1 {k1:.2g},"
        f" k2 {k2:.2g}), more than {_SAMPLER_APART:g}: answers are learned from as if another policy had"
        " given them",
        "set train.dtype: fp32, in which both round less",
    )


def _warn_of_clipping(history: _History) -> Problem | None:
    values = history.of("clip_fraction").last(_FEW)
    if len(values) < _FEW or median(values) <= _MUCH_CLIPPED:
        return None
    return _warning(
        "train.learning_rate",
        f"{median(values):.0%} of the tokens are clipped by step {history.step}: updates are too large",
        f"lower {_any_of('learning_rate', history.policy.reuse)}",
    )


def _longer_for_reward(history: _History) -> Problem | None:
    length, reward = history.of("length"), history.of("reward")
    if not length.has_ends or reward.measure_move() < _CERTAIN:
        return None
    (short, long), (low, high) = length.ends, reward.ends
    if long < 2 * short or long - short < _ENDS:
        return None
    return _warning(
        "train.rewards",
        f"answers grow with the reward: from {short:.0f} to {long:.0f} tokens while it rose from {low:.3g} to"
        f" {high:.3g}; is it length that is rewarded?",
        f"read some answers; if so, fix train.rewards, {_raise(history.policy.pull)}lower"
        " train.max_new_tokens",
    )


def _endless_for_reward(history: _History) -> Problem | None:
    stopped, reward = history.of("stopped"), history.of("reward")
    if not stopped.has_ends or reward.measure_move() < _CERTAIN:
        return None
    before, now = stopped.ends
    if before - now < _FEWER_STOP:
        return None
    return _warning(
        "train.rewards",
        f"the reward rises while fewer answers end: {before:.0%} at first, {now:.0%} by step {history.step}",
        "raise train.max_new_tokens, or reward only answers that are complete",
    )


def _all_alike(history: _History) -> Problem | None:
    spreads = history.of("reward_std").last(_FEW)
    if history.spec.has_value_head or len(spreads) < _FEW or max(spreads) > _ALIKE:
        return None  # a value head learns even where a prompt's answers are alike
    reward = fmean(history.of("reward").last(_FEW)) if history.has("reward") else math.nan
    return _warning(
        "train.num_generations",
        f"for {_FEW} steps all answers to a prompt earned the same (reward {reward:.3g}): nothing is learned",
        "take prompts that are sometimes solved, or raise train.temperature or train.num_generations",
    )


def _no_variety(history: _History) -> Problem | None:
    entropy = history.of("entropy")
    if not entropy.has_ends:
        return None
    start, end = entropy.ends
    if end >= 0.1 * start:
        return None
    return _warning(
        "train.temperature",
        f"the entropy of answers fell from {start:.3g} to {end:.3g} nats by step {history.step}: the policy"
        " tries nothing else",
        f"raise {_any_of('temperature', history.policy.pull)}, or lower train.learning_rate",
    )


def _warn_of_falling_chosen(history: _History) -> Problem | None:
    """Likelihood displacement (Razin et al. 2024, arXiv:2410.08847): the pair falls, only not alike."""
    if history.has("rewards_chosen", "rewards_rejected"):
        chosen, rejected = history.of("rewards_chosen"), history.of("rewards_rejected")
        far = chosen.has_ends and chosen.ends[1] < _LESS_LIKELY
    else:
        chosen, rejected = history.of("logps_chosen"), history.of("logps_rejected")
        far = chosen.has_ends and chosen.ends[1] - chosen.ends[0] < -0.1 * abs(chosen.ends[0])
    if not far or max(chosen.measure_move(), rejected.measure_move()) > -_CERTAIN:
        return None
    return _warning(
        "train.beta",
        f"chosen answers become less likely together with the rejected ones (by step {history.step}):"
        " the weight goes to answers that nobody chose",
        "raise train.beta, lower train.learning_rate, or train on the chosen ones first (method: sft)",
    )


_SIGNS: tuple[Callable[[_History], Problem | None], ...] = (
    _loss_spike,
    _value_loss_spike,
    _overfitting,
    _kl_blow_up,
    _sampler_apart,
    _warn_of_clipping,
    _longer_for_reward,
    _endless_for_reward,
    _all_alike,
    _no_variety,
    _warn_of_falling_chosen,
)
