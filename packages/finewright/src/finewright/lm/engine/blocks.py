"""The pool of cache blocks: who uses which, and which full ones are worth finding again.

Full blocks are kept under (the block before, their tokens), which makes a tree (as SGLang's radix cache,
Zheng et al. 2023, arXiv:2312.07104); its roots are what else decides keys and values, such as the adapter. A
kept block that nobody uses is idle until its room is needed, the longest idle one first. A sequence gives its
blocks back last one first, so that a block never goes before those that follow it.

A step's pieces and adapters as the native kernel reads them: see step.h."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.fast import structures
from finewright.lm.fast.structures import address


@dataclass(slots=True)
class LaidAdapter:
    """An adapter as the kernel reads it, and the tensors behind it."""

    weights: structures.StepAdapter
    rank: int
    kept: list[Any]


class LaidBatch:
    """Pieces as the kernel reads them: rows of one adapter together."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        adapters: Mapping[str, LaidAdapter],
        results: Mapping[str, int | None],
    ) -> None:
        order = sorted(range(len(pieces)), key=lambda i: pieces[i].adapter or "")
        first, starts = 0, [0] * len(pieces)
        for i in order:
            starts[i] = first
            first += len(pieces[i].token_ids)
        ordered = [pieces[i] for i in order]
        keys = dict.fromkeys(piece.adapter for piece in ordered)
        tokens = structures.integers([token for piece in ordered for token in piece.token_ids])
        blocks = structures.integers([block for piece in ordered for block in piece.blocks])
        laid = structures.integers(list(_pieces_laid(ordered)))
        groups = (structures.StepGroup * len(keys))()
        place = 0
        for j, key in enumerate(keys):
            count = sum(len(piece.token_ids) for piece in ordered if piece.adapter == key)
            own = None if key is None else address(adapters[key].weights)
            groups[j] = structures.StepGroup(own, place, count)
            place += count
        wanted = structures.integers(list(_rows_to_score(pieces, starts)))
        ranks = [adapters[key].rank for key in keys if key is not None]
        self.kept = tokens, blocks, laid, groups, wanted
        self.laid = structures.StepBatch(
            rows=place,
            tokens=address(tokens),
            num_pieces=len(pieces),
            num_groups=len(keys),
            num_logits=len(wanted),
            max_rank=max(ranks, default=0),
            pieces=address(laid),
            blocks=address(blocks),
            groups=address(groups),
            logit_rows=address(wanted),
            **results,
        )


def _pieces_laid(pieces: Sequence[Piece]) -> Iterable[int]:
    """The fields of each piece, one after the other: see step.h."""
    row = block = 0
    for piece in pieces:
        yield from (row, len(piece.token_ids), piece.start, block)
        row += len(piece.token_ids)
        block += len(piece.blocks)


def num_logits_of(pieces: Sequence[Piece]) -> int:
    """Rows of logits that the pieces want together."""
    return sum(piece.num_logits for piece in pieces)


def _rows_to_score(pieces: Sequence[Piece], starts: Sequence[int]) -> Iterable[int]:
    """Rows whose logits are wanted, piece by piece."""
    for piece, start in zip(pieces, starts, strict=True):
        end = start + len(piece.token_ids)
        yield from range(end - piece.num_logits, end)


_Key = tuple[Hashable, tuple[int, ...]]
ZERO = 0
"""A block of zeros, which fills tables up and is never given out."""


class BlockPool:
    """Blocks 1 to num_blocks - 1.

    What is in a block beyond a sequence's tokens is masked, and a mask does not take away what is no number.
    So a block that may hold such is cleared before it is given out: `clear` fills it with zeros."""

    def __init__(self, num_blocks: int, clear: Callable[[int], None]) -> None:
        self._clear, self._doubtful = clear, set[int]()
        self._empty = list(range(num_blocks - 1, ZERO, -1))
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._uses = [0] * num_blocks
        self._kept: dict[_Key, int] = {}
        self._key_of: dict[int, _Key] = {}
        self.total = num_blocks - 1

    @property
    def num_free(self) -> int:
        """Blocks that can be taken."""
        return len(self._empty) + len(self._idle)

    def take(self) -> int:
        """A block that nobody uses; there must be one."""
        block = self._empty.pop() if self._empty else self._longest_idle()
        self._uses[block] = 1
        if block in self._doubtful:
            self._doubtful.remove(block)
            self._clear(block)
        return block

    def share(self, blocks: Sequence[int]) -> None:
        """Use blocks once more."""
        for block in blocks:
            self._uses[block] += 1
            self._idle.pop(block, None)

    def give_back(self, blocks: Sequence[int], *, doubtful: bool) -> None:
        """Use blocks of a sequence once less; `doubtful`: they may hold what is no number."""
        if doubtful:
            self._doubtful.update(blocks)
        for block in reversed(blocks):
            self._uses[block] -= 1
            if self._uses[block]:
                continue
            if block in self._key_of:
                self._idle[block] = None
            else:
                self._empty.append(block)

    def find(self, root: Hashable, tokens: Sequence[int]) -> list[int]:
        """The kept blocks that these tokens begin with, which are used once more from here on."""
        blocks: list[int] = []
        before: Hashable = (root,)
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            block = self._kept.get((before, tuple(tokens[start : start + BLOCK])))
            if block is None:
                break
            blocks.append(block)
            before = block
        self.share(blocks)
        return blocks

    def keep(self, root: Hashable, before: int | None, tokens: Sequence[int], block: int) -> None:
        """Let a full block be found after the one before it, unless these tokens are kept there already."""
        if before is not None and before not in self._key_of:
            return  # what follows a block that nobody finds is not found either
        key = ((root,) if before is None else before, tuple(tokens))
        if self._kept.setdefault(key, block) == block:
            self._key_of[block] = key

    def forget(self) -> None:
        """Let no block be found again."""
        self._kept.clear()
        self._key_of.clear()
        self._empty += self._idle
        self._idle.clear()

    def _longest_idle(self) -> int:
        block, _ = self._idle.popitem(last=False)
        del self._kept[self._key_of.pop(block)]
        return block
