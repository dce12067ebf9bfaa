"""A mark in the choice of tokens, which who has the key finds in a text (Kirchenbauer et al. 2023,
arXiv:2301.10226).

    before each token: a keyed hash of the token before makes a share of the vocabulary green
    written: green tokens' logits + bias        found: z = (greens - share n) / sqrt(n share (1 - share))

Green is drawn token by token, not as a permutation, so a mask takes one pass; pairs that repeat count once
(Fernandez et al. 2023, arXiv:2308.00113), or a text that repeats itself would seem marked. A text that is
translated or written anew loses the mark; who sees many answers can learn common pairs."""

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

_FIRST, _SECOND, _THIRD = 0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB
"""Odd multipliers below 2^63: splitmix64's (Steele et al. 2014) without their highest bit."""
_BITS = 24


class MarkEvidence(NamedTuple):
    """Different pairs of tokens that were looked at, how many are green, and how rare that is by chance:
    `z` standard deviations, `p` exactly."""

    pairs: int
    greens: int
    z: float
    p: float


@dataclass(frozen=True, slots=True)
class Watermark:
    """`key` 0 to 2^64 is secret; `share` of the vocabulary is green, by whose logits `bias` is added."""

    key: int
    share: float = 0.25
    bias: float = 2.0

    def green(self, before: int, size: int) -> Tensor:
        """(size,) bool: the tokens that are green after another."""
        return _green(self.key, self.share, before, size)

    def evidence(self, tokens: Sequence[int]) -> MarkEvidence:
        """Of a text's tokens; the first has none before it. Raises ValueError for fewer than two."""
        pairs = {*itertools.pairwise(tokens)}
        if not pairs:
            raise ValueError("a text of one token shows nothing")
        size, num = max(tokens) + 1, len(pairs)
        greens = sum(bool(self.green(before, size)[token]) for before, token in sorted(pairs))
        spread = math.sqrt(num * self.share * (1 - self.share))
        return MarkEvidence(
            num, greens, (greens - self.share * num) / spread, _tail(num, greens, self.share)
        )


@lru_cache(maxsize=256)
def _green(key: int, share: float, before: int, size: int) -> Tensor:
    text = f"{key} {before}".encode()
    seed = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)
    found = torch.arange(size, dtype=torch.int64) * _FIRST + seed  # int64 wraps around
    found = (found ^ ((found >> 30) & (2**34 - 1))) * _SECOND
    found = (found ^ ((found >> 27) & (2**37 - 1))) * _THIRD
    is_green: Tensor = (found >> (63 - _BITS)) & (2**_BITS - 1) < round(share * 2**_BITS)
    return is_green


def _tail(num: int, greens: int, share: float) -> float:
    """P(at least so many greens), of a binomial."""
    logs = [math.lgamma(num + 1), math.log(share), math.log1p(-share)]
    return min(
        1.0,
        math.fsum(
            math.exp(
                logs[0]
                - math.lgamma(k + 1)
                - math.lgamma(num - k + 1)
                + k * logs[1]
                + (num - k) * logs[2]
            )
            for k in range(greens, num + 1)
        ),
    )
