"""The batch a model sees: sequences end to end, and the tokens to be scored.

Shape legend: T tokens of all sequences, N scored tokens, B sequences."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from finewright.lm.example import EncodedRow, length_of_shared

BLOCK_ROWS = 32  # see filled_up


class Sized(Protocol):
    """What has a number of tokens."""

    @property
    def num_tokens(self) -> int:
        """All its tokens."""
        ...


SizedRow = TypeVar("SizedRow", bound=Sized)


class Segment(NamedTuple):
    """A run of tokens in a packed row that sees itself causally, and all of a prefix when it has one."""

    start: int
    length: int
    prefix_start: int = 0
    prefix_length: int = 0


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """B sequences without padding.

    `sources` and `targets` (N,) pair the position whose hidden state predicts with the token that is
    predicted; `sequence_of` (N,) numbers the sequence each pair belongs to, and `lasts` (B,) is the position
    of each sequence's last token."""

    input_ids: Tensor
    position_ids: Tensor
    segments: tuple[Segment, ...]
    sources: Tensor
    targets: Tensor
    sequence_of: Tensor
    lasts: Tensor

    @property
    def num_sequences(self) -> int:
        """B."""
        return int(self.lasts.shape[0])

    @property
    def num_tokens(self) -> int:
        """T, all tokens."""
        return int(self.input_ids.shape[1])

    @property
    def num_trained(self) -> int:
        """N, scored tokens."""
        return int(self.targets.shape[0])


def split(rows: Sequence[SizedRow], max_tokens: int | None) -> list[list[SizedRow]]:
    """The rows in as few parts of at most `max_tokens` tokens as first fit decreasing finds.

    A row that is longer is a part of its own. Longest first also makes the parts even."""
    if max_tokens is None:
        return [list(rows)] if rows else []
    parts: list[list[SizedRow]] = []
    room: list[int] = []
    for row in sorted(rows, key=lambda row: -row.num_tokens):
        fits = next((i for i, left in enumerate(room) if row.num_tokens <= left), None)
        if fits is None:
            parts.append([])
            room.append(max_tokens)
            fits = -1
        parts[fits].append(row)
        room[fits] -= row.num_tokens
    return parts


def pack(rows: Sequence[EncodedRow], device: torch.device | str = "cpu") -> PackedBatch:
    """Lay the rows end to end. A token is scored from the position before it, never across rows."""
    return pack_groups([[row] for row in rows], device)


def pack_groups(
    groups: Sequence[Sequence[EncodedRow]], device: torch.device | str = "cpu"
) -> PackedBatch:
    """Lay groups of rows end to end; what the rows of a group begin with in common is there once.

    Shared are only tokens that are not learned: the prompt of several completions. Rows are numbered
    through all groups in `sequence_of`, and their losses and gradients are those of `pack`."""
    layout = _Layout()
    for rows in groups:
        layout.add(rows, length_of_shared(rows))
    return layout.pack(device)


def fill_up(
    input_ids: Tensor, position_ids: Tensor, segments: tuple[Segment, ...]
) -> tuple[Tensor, Tensor, tuple[Segment, ...]]:
    """The row (1, T) with tokens at its end that nobody sees, up to a multiple of 32.

    Libraries compile a kernel for each new number of rows (oneDNN on Intel's tiles: 3 ms a matrix product),
    and tiles, also a GPU's, hold whole blocks of rows. Measured on the former, SmolLM2: 699 tokens/s as it
    comes, 771 so. A very short row would grow by half."""
    length = input_ids.shape[1]
    more = -length % BLOCK_ROWS
    if not more or length < 2 * BLOCK_ROWS:
        return input_ids, position_ids, segments
    places = torch.arange(more, device=position_ids.device)[None]
    return (
        F.pad(input_ids, (0, more)),
        torch.cat((position_ids, places), 1),
        (*segments, Segment(length, more)),
    )


def sums_of(logps: Tensor, batch: PackedBatch) -> Tensor:
    """Sum of a batch's token values (N,) over each of its sequences, (B,)."""
    zeros = logps.new_zeros(batch.num_sequences)
    return zeros.index_add(0, batch.sequence_of, logps)


def bounds_of(batch: PackedBatch, counts: Sequence[int]) -> list[int]:
    """Where samples of so many sequences each begin in the packed row, and the last one ends, (n + 1)."""
    ends = [int(batch.lasts[last - 1]) + 1 for last in accumulate(counts)]
    return [0, *ends]


class _Layout:
    """The packed row as it grows."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.segments: list[Segment] = []
        self.sources: list[int] = []
        self.targets: list[int] = []
        self.sequence_of: list[int] = []
        self.lasts: list[int] = []
        self.rows = 0

    def add(self, rows: Sequence[EncodedRow], shared: int) -> None:
        """Append rows whose first `shared` tokens are alike."""
        prefix = len(self.ids)
        if shared:
            self._append(rows[0], 0, shared, Segment(prefix, shared))
        for row in rows:
            start, length = len(self.ids), len(row.input_ids) - shared
            before = (prefix, shared) if shared else (0, 0)
            self._append(row, shared, len(row.input_ids), Segment(start, length, *before))
            for t in range(max(1, shared), len(row.input_ids)):
                if row.trained[t]:
                    self.sources.append(prefix + t - 1 if t == shared else start + t - shared - 1)
                    self.targets.append(row.input_ids[t])
                    self.sequence_of.append(self.rows)
            self.lasts.append(len(self.ids) - 1)
            self.rows += 1

    def _append(self, row: EncodedRow, start: int, end: int, segment: Segment) -> None:
        self.ids.extend(row.input_ids[start:end])
        self.positions.extend(range(start, end))
        self.segments.append(segment)

    def pack(self, device: torch.device | str) -> PackedBatch:
        """The tensors."""

        def long(values: list[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.long, device=device)

        return PackedBatch(
            input_ids=long(self.ids)[None],
            position_ids=long(self.positions)[None],
            segments=tuple(self.segments),
            sources=long(self.sources),
            targets=long(self.targets),
            sequence_of=long(self.sequence_of),
            lasts=long(self.lasts),
        )
