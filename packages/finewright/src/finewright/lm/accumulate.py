"""Sums in float32 of terms in bfloat16, a few rows at a time.

On the CPU `total.add_(term)` first makes a float32 copy of the whole term. For an embedding matrix that is
the largest tensor of a step; of some rows it is nothing."""

from collections.abc import Iterator

from torch import Tensor

_PART_BYTES = 1 << 24


def row_parts(total: Tensor) -> Iterator[slice]:
    """Rows of `total` (n, ...) in turn, at most 16 MiB of them at once, or one."""
    row_bytes = max(1, total[:1].numel() * total.element_size())
    rows = max(1, _PART_BYTES // row_bytes)
    return (slice(start, start + rows) for start in range(0, total.shape[0], rows))


def add_into(total: Tensor, term: Tensor) -> None:
    """total += term, both of one shape, in the format of `total`."""
    if total.dtype == term.dtype or total.dim() == 0:
        total.add_(term)
        return
    for rows in row_parts(total):
        total[rows].add_(term[rows])
