"""The step over torch: a model's own modules, on any device, with attention to a paged cache."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.adapters.virtual import VirtualTokens
from finewright.lm.engine.beside import AdaptedLinears, MixedRows, StepRows
from finewright.lm.engine.forward import Piece
from finewright.lm.engine.highest import HighestLogits, highest_of
from finewright.lm.engine.weights import AdapterWeights, weights_of
from finewright.lm.fast import attention, paged
from finewright.lm.fast.paged import PagedCache, PagedRow, PagedStep
from finewright.lm.model import LM


class _Virtual(NamedTuple):
    """Virtual tokens: embeddings (n, d), or keys and values (2 layers, kv_heads, n, width)."""

    length: int
    embeddings: Tensor | None
    states: Tensor | None


_NONE = _Virtual(0, None, None)


class TorchForward:
    """See Forward. For models whose attention can be paged (`LM.block_bytes`), in evaluation mode.

    Adapters are loaded onto a base model only, one that has none of its own."""

    def __init__(self, lm: LM, num_blocks: int) -> None:
        self._lm = lm
        self._cache = PagedCache(num_blocks)
        self._linears = AdaptedLinears(lm.model)
        self._virtual: dict[str | None, _Virtual] = {None: self._virtual_of(_own_virtual(lm))}
        self._apart = False

    @property
    def num_blocks(self) -> int:
        """See Forward."""
        return self._cache.num_blocks

    @torch.inference_mode()
    def copy_block(self, source: int, to: int) -> None:
        """See Forward."""
        self._cache.copy(source, to)

    def num_virtual(self, adapter: str | None) -> int:
        """See Forward."""
        return self._virtual[adapter].length

    def load(self, key: str, adapter: AdapterWeights) -> None:
        """See Forward."""
        if self._lm.adapters:
            raise ModelError(
                "the model has an adapter of its own, and takes no others beside it",
                hint="load the base model without an adapter",
            )
        assert key not in self._virtual
        virtual = self._virtual_of(adapter)
        self._linears.load(key, adapter)
        self._virtual[key] = virtual

    def unload(self, key: str) -> None:
        """See Forward."""
        self._linears.unload(key)
        del self._virtual[key]

    @torch.inference_mode()
    def step(self, pieces: Sequence[Piece]) -> Tensor:
        """See Forward."""
        if not self._apart:
            try:
                return self._step(pieces)
            except MixedRows:
                self._apart = True
        groups: dict[str | None, list[int]] = {}
        for number, piece in enumerate(pieces):
            groups.setdefault(piece.adapter, []).append(number)
        found: list[Tensor] = [torch.empty(0)] * len(pieces)
        for numbers in groups.values():
            some = [pieces[number] for number in numbers]
            parts = torch.split(self._step(some), [piece.num_logits for piece in some])
            for number, part in zip(numbers, parts, strict=True):
                found[number] = part
        return torch.cat(found)

    def highest(self, pieces: Sequence[Piece]) -> HighestLogits:
        """See Forward."""
        return highest_of(self.step(pieces))

    def _step(self, pieces: Sequence[Piece]) -> Tensor:
        order = _by_adapter(pieces)
        rows, firsts, at = [], [0] * len(pieces), 0
        for number in order:
            piece = pieces[number]
            rows.append(PagedRow(at, len(piece.token_ids), piece.start, piece.blocks))
            firsts[number], at = at, at + len(piece.token_ids)
        ordered = [pieces[number] for number in order]
        self._linears.rows = _rows_of(ordered, rows)
        device = self._lm.device
        given = torch.tensor([[t for piece in ordered for t in piece.token_ids]], device=device)
        step = PagedStep(rows, self._cache, device, self._given(ordered, rows))
        with attention.using(self._lm.model, paged.NAME):
            states = paged.run(self._lm.model, self._embedded(given, ordered, rows), step)
        wanted = [
            first + len(piece.token_ids) - piece.num_logits + i
            for first, piece in zip(firsts, pieces, strict=True)
            for i in range(piece.num_logits)
        ]
        picked = states[torch.tensor(wanted, dtype=torch.long, device=device)]
        return self._lm.logits(picked).float()

    def _virtual_of(self, weights: AdapterWeights) -> _Virtual:
        model = self._lm.model
        if weights.embeddings is not None:
            learned = weights.embeddings.to(model.device, model.dtype)
            if learned.shape[1] != model.get_input_embeddings().weight.shape[1]:
                raise ModelError(
                    "the adapter does not fit this base model: its tokens are of another width"
                )
            return _Virtual(len(learned), learned, None)
        if weights.states is None:
            return _NONE
        return _Virtual(len(weights.states), None, self._learned_states(weights.states))

    def _learned_states(self, states: Tensor) -> Tensor:
        from finewright.lm.adapters.prefix import heads_of

        model = self._lm.model
        heads = heads_of(model.config.get_text_config(), type(model).__name__)
        if states.shape[1] != heads.width:
            raise ModelError(
                "the adapter does not fit this base model: its prefix is of another width"
            )
        wide = states.to(model.device, model.dtype).view(len(states), -1, *heads[1:])
        return wide.permute(1, 2, 0, 3)

    def _embedded(self, ids: Tensor, pieces: Sequence[Piece], rows: Sequence[PagedRow]) -> Tensor:
        """The ids, or embeddings where some of them are learned."""
        found = [
            (self._virtual[piece.adapter].embeddings, row)
            for piece, row in zip(pieces, rows, strict=True)
        ]
        learned = [
            (each[row.start : row.start + row.length], row.first)
            for each, row in found
            if each is not None and row.start < len(each)
        ]
        if not learned:
            return ids
        words: Tensor = self._lm.model.get_input_embeddings()(ids)
        places = [first + i for part, first in learned for i in range(len(part))]
        own = torch.cat([part for part, _ in learned])
        return words.index_copy(1, torch.tensor(places, device=ids.device), own[None])

    def _given(
        self, pieces: Sequence[Piece], rows: Sequence[PagedRow]
    ) -> tuple[Tensor, Tensor] | None:
        """Rows whose keys and values are learned, and these."""
        places: list[int] = []
        parts: list[Tensor] = []
        for piece, row in zip(pieces, rows, strict=True):
            states = self._virtual[piece.adapter].states
            if states is not None and row.start < states.shape[2]:
                part = states[:, :, row.start : row.start + row.length]
                parts.append(part)
                places += range(row.first, row.first + part.shape[2])
        if not parts:
            return None
        return torch.tensor(places, device=self._lm.device), torch.cat(parts, 2)


def _own_virtual(lm: LM) -> AdapterWeights:
    """The virtual tokens of the model's own adapter; what it does to linears is in these."""
    parts = lm.adapters.items()
    return weights_of({p: v for p, v in parts if isinstance(v, VirtualTokens) and v.enabled})


def _by_adapter(pieces: Sequence[Piece]) -> list[int]:
    """The pieces' numbers, those of an adapter side by side."""
    order: dict[str | None, list[int]] = {}
    for number, piece in enumerate(pieces):
        order.setdefault(piece.adapter, []).append(number)
    return [number for numbers in order.values() for number in numbers]


def _rows_of(pieces: Sequence[Piece], rows: Sequence[PagedRow]) -> StepRows:
    of: dict[str, slice] = {}
    for piece, row in zip(pieces, rows, strict=True):
        if piece.adapter is not None:
            first = of[piece.adapter].start if piece.adapter in of else row.first
            of[piece.adapter] = slice(first, row.first + row.length)
    return StepRows(rows[-1].first + rows[-1].length, of)
