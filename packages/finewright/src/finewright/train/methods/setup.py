"""What a method is made from and how, and what those that learn from given rows have in common."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from finewright.labels.targets import LabelTargets
from finewright.lm.batch import PackedBatch, split
from finewright.lm.chat import Chat
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.plugins import load
from finewright.schema.methods import OnlineSettings
from finewright.schema.train import TrainSettings
from finewright.train.loop import Method
from finewright.train.ranks import ALONE, Ranks
from finewright.train.references import References
from finewright.train.rewards import Rewards
from finewright.train.rollouts import Rollouts, roll_out
from finewright.train.teacher import LoadTeacher, TaughtRows


@dataclass(frozen=True, slots=True)
class Setup:
    """A method's surroundings: the model, its chat template, the base's log-probabilities, the rewards,
    where another model teaches, what loads it and what it said, the processes that train together, and what
    a head is fitted to.

    Methods take what they need; `chat` and `rewards` are for those that sample answers."""

    lm: LM
    chat: Chat | None = None
    rewards: Rewards | None = None
    references: References = field(default_factory=References)
    teacher: LoadTeacher | None = None
    taught: TaughtRows = field(default_factory=TaughtRows)
    ranks: Ranks = ALONE
    targets: LabelTargets | None = None


def method_of(spec: TrainSettings, setup: Setup) -> Method:
    """The method of these settings on this model."""
    made: Method = load(spec.code)(spec, setup)
    return made


@dataclass(frozen=True, slots=True)
class OnPacked:
    """A batch around packed rows, of whose size it is."""

    packed: PackedBatch

    @property
    def num_tokens(self) -> int:
        """Tokens that run through the model."""
        return self.packed.num_tokens

    @property
    def num_trained(self) -> int:
        """Tokens of the answers."""
        return self.packed.num_trained


class Stateless:
    """What methods have that need nothing beforehand, no heads and no state of their own."""

    def __init__(self, spec: Any, setup: Setup) -> None:
        self.spec, self.setup = spec, setup

    def prepare(self, lm: LM, steps: Iterator[Sequence[Example]], max_tokens: int | None) -> None:
        """Nothing to know beforehand."""

    def parameters(self) -> list[nn.Parameter]:
        """No heads beyond the adapter."""
        return []

    def state(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take back."""


class Offline(Stateless):
    """A method that learns from the rows as they are, in one update a step."""

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[Any]]:
        """All rows of this rank at once, in parts of at most `max_tokens`."""
        own = self.setup.ranks.share(rows)
        yield [self.batch(lm, part) for part in split(own, max_tokens)]

    def batch(self, lm: LM, rows: Sequence[Example]) -> Any:
        """The rows as one batch."""
        raise NotImplementedError


class Online(Stateless):
    """A method that learns from answers which it samples as it learns."""

    spec: OnlineSettings

    def sample(self, lm: LM, rows: Sequence[Example], seed: int) -> Rollouts:
        """Answers to the prompts with their rewards, without dropout: p / p_old compares two states of the
        policy, never two masks."""
        lm.model.eval()
        setup = self.setup
        assert setup.chat is not None
        assert setup.rewards is not None
        return roll_out(lm, setup.chat, setup.rewards, rows, self.spec, seed, ranks=setup.ranks)
