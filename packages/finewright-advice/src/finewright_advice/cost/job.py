"""What is asked of the estimates: a model's shape, its train settings, and the sizes of its rows."""

from dataclasses import dataclass, replace

from finewright.estimate.shape import ModelShape
from finewright.schema.cost import Range, TokensTier, TrainingWork
from finewright.schema.methods import OnlineSettings
from finewright.schema.train import TrainSettings
from finewright_advice.estimate.memory import MemoryLoad, memory
from finewright_advice.estimate.money import product, total
from finewright_advice.estimate.rollouts import MEAN_ANSWER, RolloutLoad
from finewright_advice.estimate.time import flops_per_token

# What `train` takes where the spec leaves it open; see train/defaults.py.
MICRO_BATCH_TOKENS = {"gpu": 16384, "cpu": 1024}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows in numbers: how many, of how many tokens, the largest batch, the share that is learned; a row
    may be several sequences, of which `longest_sequence` has the most tokens.

    `tier` says whether a tokenizer counted them, or some of them, or they are reckoned from characters."""

    count: int
    mean: float
    longest: int
    longest_sequence: int
    batch_tokens: int
    learned_share: float
    tier: TokensTier


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One candidate: a base model by its shape, trained by these settings on these rows."""

    base_model: str
    shape: ModelShape
    train: TrainSettings
    rows: Rows
    steps: int
    tokens: Range

    def load(self, *, gpu: bool, number: int = 2) -> MemoryLoad:
        """The largest micro-batch on a device of that kind."""
        spec, rows = self.train, self.rows
        micro = spec.micro_batch_tokens or MICRO_BATCH_TOKENS["gpu" if gpu else "cpu"]
        row, batch, cached, learned = self._sizes()
        tokens = max(row, min(micro, batch))
        return MemoryLoad(
            adapter=spec.adapter,
            tokens=tokens,
            learned=max(1, round(tokens * learned)),
            longest=rows.longest,
            number=number,
            lean=spec.memory == "lean",
            gpu=gpu,
            accumulates=batch > tokens or spec.gradient_accumulation > 1,
            cached=cached,
            value_head=spec.has_value_head,
        )

    def work(self, load: MemoryLoad) -> TrainingWork:
        """All that is computed, and how much a token asks; sampling answers is not in it."""
        mean = replace(load, longest=max(1, round(self.rows.mean)))
        tokens, steps, each = self.tokens, self.steps, 0.0
        learned = self.rows.learned_share
        if isinstance(self.train, OnlineSettings):
            tokens, steps = self._count_sampled_tokens(self.train), self.steps * self.train.uses
            mean = replace(mean, longest=round(self.rows.mean + self.train.max_new_tokens))
            each = 2.0 * self.shape.computing * self.train.forwards_before / self.train.uses
            learned = 1.0
        return TrainingWork(
            tokens=tokens,
            tokens_tier=self.rows.tier,
            steps=steps,
            parts=max(float(steps), tokens.median / load.tokens),
            flops_per_token=flops_per_token(self.shape, mean, learned) + each,
        )

    @property
    def samples(self) -> bool:
        """Whether it learns from answers that it makes itself."""
        return isinstance(self.train, OnlineSettings)

    def sampling(self, load: MemoryLoad) -> RolloutLoad | None:
        """The answers that it makes to learn from; None where it makes none."""
        spec = self.train
        if not isinstance(spec, OnlineSettings):
            return None
        prompts = self.tokens.median / max(1.0, self.rows.mean) / max(1, self.steps)
        return RolloutLoad(
            steps=self.steps,
            prompts=max(1.0, prompts),
            answers=spec.num_generations,
            prompt_tokens=self.rows.mean,
            max_new_tokens=spec.max_new_tokens,
            number=load.number,
            weight_bytes=memory(self.shape, load).weights,
        )

    @property
    def longest_part(self) -> int:
        """Most tokens that one process takes together: a row, or a prompt with its answers."""
        return self._sizes()[0]

    def _count_sampled_tokens(self, spec: OnlineSettings) -> Range:
        """Tokens that are learned from: each prompt once with all its answers, as often as they are used."""
        prompts = self.tokens.median / max(1.0, self.rows.mean)
        most = float(prompts * spec.num_generations * spec.max_new_tokens)
        return product(total(self.tokens, product(MEAN_ANSWER, most)), float(spec.uses))

    def _sizes(self) -> tuple[int, int, int, float]:
        """Tokens of what cannot be parted, of a batch and of the cache, and the share that is learned."""
        spec, rows = self.train, self.rows
        if not isinstance(spec, OnlineSettings):
            return rows.longest, rows.batch_tokens, 0, rows.learned_share
        group = spec.num_generations * (rows.longest + spec.max_new_tokens)
        batch = spec.batch_size * group
        shared = rows.longest + spec.num_generations * spec.max_new_tokens
        return (
            shared,
            spec.batch_size * shared,
            batch,
            spec.num_generations * spec.max_new_tokens / shared,
        )
