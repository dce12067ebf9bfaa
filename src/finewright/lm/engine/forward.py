"""The seam between the engine, which decides what is computed next, and what computes it.

The engine owns the cache's blocks by number: who has which, which are shared, which are free. A `Forward`
owns the memory behind the numbers and knows nothing of requests. One call of `step` is one step of the
whole batch: every piece is some consecutive tokens of one sequence.

    step([Piece(prompt[0:256], start=0, blocks=[3, 4, ...], wants="none"),     # a long prompt's first part
          Piece([token], start=41, blocks=[9, 1, 7]),                          # one that is being answered
          Piece([token], start=17, blocks=[9, 2], adapter=5)])                 # another, with an adapter

Token t of a sequence lies in block blocks[t // block_tokens], at t % block_tokens. Blocks 0 to
`num_blocks` - 1 exist; several sequences may name the same block as long as nobody writes into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor

Wants = Literal["none", "last", "all"]
BASE = 0
"""The slot of the model without any adapter."""
OWN = 1
"""The slot of the adapter that the model was loaded with; the same as BASE where it has none."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive new tokens of one sequence.

    `start` counts the sequence's tokens that are in the cache already, and `blocks` has room for
    start + len(tokens). `wants`: the logits after the last token, after every one (speculation, a prompt's
    log-probabilities), or none (a prompt that goes on in a later step)."""

    tokens: Sequence[int]
    start: int
    blocks: Sequence[int]
    adapter: int = OWN
    wants: Wants = "last"

    @property
    def num_logits(self) -> int:
        """Rows of logits that the piece asks for."""
        return {"none": 0, "last": 1, "all": len(self.tokens)}[self.wants]


class Forward(Protocol):
    """A model with a paged cache. Nothing here is safe to call from two threads at once."""

    block_tokens: int
    num_blocks: int
    block_bytes: int
    """Bytes of one block, all layers, keys and values."""
    vocab_size: int
    """Columns of the logits."""
    name: str
    """What computes, for the log: "native", "torch"."""

    def step(self, pieces: Sequence[Piece]) -> Tensor:
        """Logits (sum of `num_logits`, V) in the order of the pieces, in the model's number format.

        Keys and values of all tokens are in the cache afterwards. No two pieces are of one sequence."""
        ...

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks (from, to): two answers to one prompt part ways inside a block."""
        ...

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """Zeros: what a sequence with NaNs leaves behind must not reach whoever gets its blocks."""
        ...

    def num_virtual(self, adapter: int) -> int:
        """Virtual tokens that stand before each sequence of the slot (prompt and prefix tuning).

        They are the first tokens of its first piece, as zeros, and take room in its blocks."""
        ...

    def add_adapter(self, folder: Path) -> int:
        """Load a PEFT folder into a free slot, beside what is running. Raises ModelError when it does not
        fit the model."""
        ...

    def remove_adapter(self, adapter: int) -> None:
        """Give the slot and its bytes back; no running sequence may use it."""
        ...

    def adapter_bytes(self, adapter: int) -> int:
        """Bytes that the slot holds."""
        ...
