"""Gradients of LoRA factors: of all tokens at once, or sample by sample.

A linear with x (T, d_in), low = x A^T (T, r) and upstream dy (T, d_out) has

    dA = d_low^T x      dB = s dy^T low      d_low = s dy B

The tokens of a sample lie side by side in a packed row, so that the same products over its tokens alone are
its own gradients: one backward gives those of all samples, and costs no more arithmetic than their sum does.
They are kept as (samples, r, d): low rank makes them small (20 MB a sample for SmolLM2 135M at r = 16).

Of a product over t tokens the norm is known without making it (Goodfellow 2015, arXiv:1510.01799; ghost
norms: Li et al. 2021, arXiv:2110.05679):

    |D^T X|^2 = sum of (D D^T) * (X X^T)      t^2 (r + d) products in place of t r d

which is less only for t < r d / (r + d), about r; beyond that the product is made, one at a time.

While a `Samples` is in use, parameters get no `.grad` from these nodes. Raises ModelError where tokens cannot
be told apart: factors that are computed from others (PiSSA), layers that see a choice of the tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.batch import BLOCK_ROWS
from finewright.lm.fast import native

THIN_FROM = 64  # rows; decoding has fewer
_SAMPLE_FROM = 8
"""Tokens of a sample from which its products are the kernels': 2.5 times as fast at 52 tokens in bfloat16."""


def thin(rank: int, *parts: Tensor, least: int = THIN_FROM) -> bool:
    """Are the kernels of thin products here, and the rows enough to pay for packing the thin side?"""
    return len(parts[0]) >= least and native.takes_thin(rank, *parts)


class Operands(NamedTuple):
    """What the gradients of A and B are products of: dy (T, d_out), x (T, d_in), low and d_low (T, r), s."""

    dy: Tensor
    x: Tensor
    low: Tensor
    d_low: Tensor
    scale: float

    def of(self, tokens: slice) -> "Operands":
        """Of these tokens alone."""
        dy, x, low, d_low, scale = self
        return Operands(dy[tokens], x[tokens], low[tokens], d_low[tokens], scale)


class FactorGradients(NamedTuple):
    """dA (r, d_in) and dB (d_out, r), float32."""

    a: Tensor
    b: Tensor


def factor_gradients(parts: Operands, *, least: int = THIN_FROM) -> FactorGradients:
    """dA = d_low^T x and dB = s dy^T low, over all tokens."""
    dy, x, low, d_low, scale = parts
    rank = low.shape[1]
    d_a = (
        native.lora_outer(d_low, x)
        if thin(rank, d_low, x, least=least)
        else (d_low.t() @ x).float()
    )
    if thin(rank, low, dy, least=least):
        return FactorGradients(d_a, native.lora_outer_turned(low, dy, scale))
    return FactorGradients(d_a, (dy.t() @ low).float().mul_(scale))


class Samples:
    """Samples of a packed row, by the tokens that each has.

    `bounds` (n + 1) is where each begins and the last one ends. What is taken of a sample, a subclass says;
    factors that are used more than once in a forward add up."""

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = tuple(bounds)
        self._seen: range | None = range(self.bounds[-1])

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @contextmanager
    def seen(self, start: int, length: int) -> Iterator[None]:
        """Inside, a forward sees only these tokens of the row."""
        self._seen = range(start, start + length)
        try:
            yield
        finally:
            self._seen = (
                None  # a layer that is computed again later cannot know which tokens it has
            )

    def spans(self, count: int) -> list[tuple[int, slice]]:
        """Sample -> its tokens among the `count` rows of a layer; rows that fill a block up are nobody's."""
        if self._seen is None or not 0 <= count - len(self._seen) < BLOCK_ROWS:
            raise ModelError(
                "gradients cannot be told apart by rows: a layer sees other tokens than those of the row",
                hint="set train.memory to fast, or adapt fewer layers by train.adapter.target_modules",
            )
        first, end = self._seen.start, self._seen.stop
        cuts = [
            (n, slice(max(start, first) - first, min(stop, end) - first))
            for n, (start, stop) in enumerate(zip(self.bounds, self.bounds[1:], strict=False))
        ]
        return [(n, tokens) for n, tokens in cuts if tokens.start < tokens.stop]

    def take(self, sample: int, factors: "Factors", parts: Operands) -> None:
        """Take what is wanted of one sample's gradient of one linear."""
        raise NotImplementedError


class Factors(NamedTuple):
    """The trained A (r, d_in) and B (d_out, r) of one linear."""

    a: Tensor
    b: Tensor


class SampleGradients(Samples):
    """Keeps each sample's gradient: `of[factor]` is (samples, *factor.shape), float32."""

    def __init__(self, bounds: Sequence[int]) -> None:
        super().__init__(bounds)
        self.of: dict[Tensor, Tensor] = {}

    def take(self, sample: int, factors: Factors, parts: Operands) -> None:
        """Keep it, or add it to what the same factors gave before."""
        gradients = factor_gradients(parts, least=_SAMPLE_FROM)
        for factor, gradient in zip(factors, gradients, strict=True):
            if factor not in self.of:
                self.of[factor] = gradient.new_zeros(len(self), *gradient.shape)
            self.of[factor][sample] += gradient

    def squared_norms(self) -> Tensor:
        """|gradient|^2 of each sample over all factors, (samples,), float32."""
        norms = [torch.linalg.vector_norm(each.flatten(1), dim=1) for each in self.of.values()]
        return torch.stack(norms).square().sum(0)

    def weighted_sum(self, weights: Tensor) -> dict[Tensor, Tensor]:
        """sum of weight (samples,) times gradient, by factor."""
        return {
            factor: (weights @ each.flatten(1)).view(factor.shape)
            for factor, each in self.of.items()
        }


class SampleNorms(Samples):
    """Adds up each sample's `squared` gradient norm (samples,), and keeps no gradient.

    Raises ModelError where factors are used twice in a forward: norms of parts do not add up."""

    def __init__(self, bounds: Sequence[int], device: torch.device | str = "cpu") -> None:
        super().__init__(bounds)
        self.squared = torch.zeros(len(self), device=device)
        self._taken: set[tuple[int, Tensor]] = set()

    def take(self, sample: int, factors: Factors, parts: Operands) -> None:
        """Add the norms of dA and dB."""
        if (sample, factors.a) in self._taken:
            raise ModelError(
                "norms of rows' gradients cannot be added up: layers share an adapter",
                hint="keep the gradients instead",
            )
        self._taken.add((sample, factors.a))
        both = product_norm(parts.d_low, parts.x)
        self.squared[sample] += both + parts.scale**2 * product_norm(parts.low, parts.dy)


def product_norm(low: Tensor, wide: Tensor) -> Tensor:
    """|low^T wide|^2 of low (t, r) and wide (t, d), by whichever way is less arithmetic."""
    (count, rank), width = low.shape, wide.shape[1]
    low, wide = low.float(), wide.float()
    if count * (rank + width) < rank * width:
        return ((low @ low.t()) * (wide @ wide.t())).sum()
    return (low.t() @ wide).square().sum()


class Taken(NamedTuple):
    """Whose gradients one linear gives in its backward."""

    samples: Samples
    factors: Factors
    spans: list[tuple[int, slice]]

    def take(self, parts: Operands) -> None:
        """Give each sample its own."""
        for sample, tokens in self.spans:
            self.samples.take(sample, self.factors, parts.of(tokens))


_in_use: list[Samples] = []


@contextmanager
def using(samples: Samples) -> Iterator[None]:
    """Inside, forward and backward give gradients by sample."""
    _in_use.append(samples)
    try:
        yield
    finally:
        _in_use.pop()


@contextmanager
def seeing(start: int, length: int) -> Iterator[None]:
    """Inside, a forward sees only these tokens of the packed row, where samples are in use."""
    if not _in_use:
        yield
        return
    with _in_use[-1].seen(start, length):
        yield


def taken(a: Tensor, b: Tensor, count: int) -> Taken | None:
    """What a linear with `count` rows does with the gradients of A and B; None where it gives their sum."""
    if not _in_use or not a.requires_grad:
        return None
    if not (a.is_leaf and b.is_leaf):
        raise ModelError(
            "gradients cannot be told apart by rows: the adapter's factors are computed from others",
            hint="set train.adapter.init to kaiming",
        )
    return Taken(_in_use[-1], Factors(a, b), _in_use[-1].spans(count))
