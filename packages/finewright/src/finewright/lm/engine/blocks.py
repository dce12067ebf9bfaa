"""The pool of cache blocks: who uses which, and which full ones are worth finding again.

Full blocks are kept under (the block before, their tokens), which makes a tree (as SGLang's radix cache,
Zheng et al. 2023, arXiv:2312.07104); its roots are what else decides keys and values, such as the adapter. A
kept block that nobody uses is idle until its room is needed, the longest idle one first. A sequence gives its
blocks back last one first, so that a block never goes before those that follow it."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from finewright.lm.engine.forward import BLOCK

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

    def found(self, root: Hashable, tokens: Sequence[int]) -> list[int]:
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
