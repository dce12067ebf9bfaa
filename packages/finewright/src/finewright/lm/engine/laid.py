"""A step's pieces and adapters as the native kernel reads them: see step.h."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finewright.lm.engine.forward import Piece
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
        wanted = structures.integers(list(_wanted(pieces, starts)))
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


def _wanted(pieces: Sequence[Piece], starts: Sequence[int]) -> Iterable[int]:
    """Rows whose logits are wanted, piece by piece."""
    for piece, start in zip(pieces, starts, strict=True):
        end = start + len(piece.token_ids)
        yield from range(end - piece.num_logits, end)
