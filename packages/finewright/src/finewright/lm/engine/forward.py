"""The seam between what schedules requests and what computes a step of them.

A scheduler knows tokens, blocks and adapters' names; a forward knows weights. Sequences are cut into pieces;
a step takes one piece of each and gives logits for as many of its last tokens as are wanted:

    decoding        1 token,     num_logits 1
    a prompt's cut  many,        num_logits 0, and 1 in the last cut
    a guess         k + 1,       num_logits k + 1

The cache is a pool of blocks of `BLOCK` tokens, the same numbers in every layer: token t of a sequence is
in block `blocks[t // BLOCK]` at place `t % BLOCK` (PagedAttention, Kwon et al. 2023, arXiv:2309.06180).
Sequences may share blocks; a scheduler never lets a piece write into a block that another sequence reads."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from finewright.lm.engine.sampling import HighestLogits
from finewright.lm.engine.weights import AdapterWeights
from finewright.lm.fast.paged import BLOCK

__all__ = ["BLOCK", "Forward", "Piece"]


class Piece(NamedTuple):
    """New tokens of one sequence, at least one.

    `start` tokens of it are in the cache; so it is the position of the first new one. `blocks` hold at least
    start + len(token_ids) tokens. `adapter` is the key of a loaded adapter, None the model as it stands.
    The first `num_virtual(adapter)` tokens of a sequence are placeholders, which the adapter fills."""

    token_ids: tuple[int, ...]
    start: int
    blocks: tuple[int, ...]
    adapter: str | None = None
    num_logits: int = 0

    @property
    def end(self) -> int:
        """Tokens of the sequence in the cache after the step."""
        return self.start + len(self.token_ids)


class Forward(Protocol):
    """A base model with a cache of its own."""

    @property
    def num_blocks(self) -> int:
        """Blocks of the pool, 0 to num_blocks - 1."""
        ...

    def step(self, pieces: Sequence[Piece]) -> Tensor:
        """Logits (sum of num_logits, V), float32, piece by piece; keys and values go into the cache.

        In each layer those of all pieces are written before any attends. No two pieces of a step are of one
        sequence."""
        ...

    def highest(self, pieces: Sequence[Piece]) -> HighestLogits:
        """The same step, where nothing but the highest of each row of logits is wanted."""
        ...

    def copy_block(self, source: int, to: int) -> None:
        """Copy a block's keys and values in all layers."""
        ...

    def num_virtual(self, adapter: str | None) -> int:
        """Placeholders that a sequence of this adapter begins with: prefix and prompt tuning have some."""
        ...

    def load(self, key: str, adapter: AdapterWeights) -> None:
        """Make an adapter known under a key that is free. Raises ModelError where it does not fit."""
        ...

    def unload(self, key: str) -> None:
        """Forget an adapter, and give back its memory."""
        ...
