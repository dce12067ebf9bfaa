"""An answer in the making: its tokens, the blocks that hold them, and what decides how it goes on."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from finewright.lm.engine.blocks import BlockPool
from finewright.lm.engine.forward import BLOCK
from finewright.lm.engine.guess import PromptLookup
from finewright.lm.engine.requests import GenerationRequest
from finewright.lm.engine.sampling import RowSampling
from finewright.lm.engine.schemas import Constraint


@dataclass(slots=True, eq=False)
class AnswerSequence:
    """`tokens` are virtual ones, the prompt's and the answer's; `num_cached` of them are in `blocks`, of
    which `num_kept` were offered to others; `num_found` of the prompt's were there when it joined first.
    `root` is what else decides keys and values. `others` are answers to the same prompt, which begin when it
    has been computed. One that `was_put_off` stays until it has written so many tokens."""

    id: int
    answer: int
    request: GenerationRequest
    tokens: list[int]
    num_before: int
    sampling: RowSampling
    root: Hashable
    constraint: Constraint | None = None
    lookup: PromptLookup = field(default_factory=PromptLookup)
    blocks: list[int] = field(default_factory=list)
    num_cached: int = 0
    num_kept: int = 0
    others: list["AnswerSequence"] = field(default_factory=list)
    num_found: int | None = None
    was_put_off: bool = False
    stays_until: int = 0

    @property
    def stays(self) -> bool:
        """Whether it must not be put off for another owner."""
        return self.num_written < self.stays_until

    @property
    def needs_logits(self) -> bool:
        """Whether more is wanted of a row of logits than its highest."""
        is_scored = self.request.num_logprobs is not None or self.request.keeps_logps
        return is_scored or self.constraint is not None or not self.sampling.is_plain

    @property
    def words(self) -> list[int]:
        """The tokens without the virtual ones."""
        return self.tokens[self.num_before - len(self.request.prompt) :]

    @property
    def num_written(self) -> int:
        """Tokens of the answer."""
        return len(self.tokens) - self.num_before

    @property
    def num_due(self) -> int:
        """Tokens that are not in the cache, at least one."""
        return len(self.tokens) - self.num_cached

    def stay(self, num: int) -> None:
        """Until so many more tokens are written."""
        self.stays_until = self.num_written + num

    def room(self, pool: BlockPool, end: int) -> bool:
        """Take blocks for the first `end` tokens, as far as there are; are these enough?"""
        while len(self.blocks) * BLOCK < end:
            if not pool.num_free:
                return False
            self.blocks.append(pool.take())
        return True

    def find(self, pool: BlockPool) -> None:
        """Begin with what is kept of its tokens; the last one is always computed, for its logits."""
        self.blocks = pool.find(self.root, self.tokens[:-1])
        self.num_kept = len(self.blocks)
        self.num_cached = self.num_kept * BLOCK
        if self.num_found is None:
            virtual = self.num_before - len(self.request.prompt)
            self.num_found = max(0, self.num_cached - virtual)

    def keep(self, pool: BlockPool, end: int) -> None:
        """Let the full blocks of the first `end` tokens be found by others."""
        for number in range(self.num_kept, end // BLOCK):
            start = number * BLOCK
            before = self.blocks[number - 1] if number else None
            tokens = self.tokens[start : start + BLOCK]
            pool.keep(self.root, before, tokens, self.blocks[number])
        self.num_kept = max(self.num_kept, end // BLOCK)

    def leave(self, pool: BlockPool, *, failed: bool = False) -> None:
        """Give all blocks back, and be as if nothing were computed."""
        pool.give_back(self.blocks, doubtful=failed or self.num_due > 1)
        self.blocks, self.num_cached, self.num_kept = [], 0, 0
