"""The batch a model sees: sequences end to end, and the tokens to be scored.

Shape legend: T tokens of all sequences, N scored tokens, B sequences."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tokenised row. `trained[t]` says whether token t is learned (scored given those before it)."""

    input_ids: tuple[int, ...]
    trained: tuple[bool, ...]
    row_id: str = ""

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss; the first token has nothing before it and never does."""
        return sum(self.trained[1:])


@dataclass(frozen=True, slots=True)
class Packed:
    """B sequences without padding.

    `sources` and `targets` (N,) pair the position whose hidden state predicts with the token that is
    predicted; `sequence_of` (N,) numbers the sequence each pair belongs to."""

    input_ids: Tensor
    position_ids: Tensor
    lengths: tuple[int, ...]
    sources: Tensor
    targets: Tensor
    sequence_of: Tensor

    @property
    def num_tokens(self) -> int:
        """T, all tokens."""
        return int(self.input_ids.shape[1])

    @property
    def num_trained(self) -> int:
        """N, scored tokens."""
        return int(self.targets.shape[0])


def pack(rows: Sequence[Encoded], device: torch.device | str = "cpu") -> Packed:
    """Lay the rows end to end. A token is scored from the position before it, never across rows."""
    ids: list[int] = []
    positions: list[int] = []
    sources: list[int] = []
    targets: list[int] = []
    sequence_of: list[int] = []
    for number, row in enumerate(rows):
        offset = len(ids)
        ids.extend(row.input_ids)
        positions.extend(range(len(row.input_ids)))
        for t in range(1, len(row.input_ids)):
            if row.trained[t]:
                sources.append(offset + t - 1)
                targets.append(row.input_ids[t])
                sequence_of.append(number)
    return Packed(
        input_ids=torch.tensor([ids], device=device),
        position_ids=torch.tensor([positions], device=device),
        lengths=tuple(len(row.input_ids) for row in rows),
        sources=torch.tensor(sources, dtype=torch.long, device=device),
        targets=torch.tensor(targets, dtype=torch.long, device=device),
        sequence_of=torch.tensor(sequence_of, dtype=torch.long, device=device),
    )
