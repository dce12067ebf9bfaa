"""The step over torch: a model's own modules, on any device, with attention to a paged cache.

Adapters beside frozen linears: one product with the base's weight for all rows of a step, and for each
adapter thin ones for its own rows (Punica, Chen et al. 2023, arXiv:2310.18547; S-LoRA, arXiv:2311.03285).

An adapter costs its own bytes, in the model's number format, and no copy of the base. Where training rounds
base and delta once, as one sum, here each is rounded: half a unit in the last place apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from finewright.errors import ModelError
from finewright.lm.adapters.virtual import VirtualTokens
from finewright.lm.engine.forward import Piece
from finewright.lm.engine.sampling import HighestLogits, highest_of
from finewright.lm.engine.weights import AdapterWeights, LinearDelta, LowRankDelta, weights_of
from finewright.lm.fast import attention, dora, paged
from finewright.lm.fast.paged import PagedCache, PagedRow, PagedStep
from finewright.lm.model import LM


class _LowRank(NamedTuple):
    """A^T (d_in, r), s B^T (r, d_out), and DoRA's m / n (d_out,)."""

    down: Tensor
    up: Tensor
    ratio: Tensor | None


class _Factors(NamedTuple):
    """(IA)3's, float32."""

    factors: Tensor
    at_input: bool


_Delta = _LowRank | _Factors


class MixedRows(Exception):  # noqa: N818 - not an error: the step is computed adapter by adapter instead
    """A linear sees other rows than the step's, so whose they are is not known."""


@dataclass(slots=True)
class StepRows:
    """Which rows of the step belong to which adapter; `total` rows in all."""

    total: int = 0
    of: dict[str, slice] = field(default_factory=dict)


class AdaptedLinears:
    """The linears of a model that some loaded adapter changes."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._deltas: dict[str, dict[str, _Delta]] = {}
        self.rows = StepRows()

    def load(self, key: str, weights: AdapterWeights) -> None:
        """Put an adapter beside the linears. Raises ModelError, with nothing done, where it does not fit."""
        made = {path: self._fit(path, delta) for path, delta in weights.linears.items()}
        for path, delta in made.items():
            if path not in self._deltas:
                self._deltas[path] = {}
                module = self._model.get_submodule(path)
                module.forward = MethodType(self._beside(path, type(module).forward), module)
            self._deltas[path][key] = delta

    def unload(self, key: str) -> None:
        """Take it away; a linear that none changes is as it was."""
        for path, of_path in list(self._deltas.items()):
            of_path.pop(key, None)
            if not of_path:
                del self._deltas[path]
                self._model.get_submodule(path).__dict__.pop("forward", None)

    def _fit(self, path: str, delta: LinearDelta) -> _Delta:
        module = self._model.get_submodule(path)
        assert isinstance(module, nn.Linear | Conv1D)
        weight = module.weight.T if isinstance(module, Conv1D) else module.weight
        d_out, d_in = weight.shape
        if isinstance(delta, LowRankDelta):
            if (delta.a.shape[1], delta.b.shape[0]) != (d_in, d_out):
                raise _misfit(path)
            return _low_rank(delta, weight)
        if len(delta.factors) != (d_in if delta.at_input else d_out):
            raise _misfit(path)
        return _Factors(delta.factors.to(weight.device), delta.at_input)

    def _beside(self, path: str, plain: Any) -> Any:
        deltas = self._deltas[path]

        def forward(module: nn.Module, x: Tensor) -> Tensor:
            here = {key: rows for key, rows in self.rows.of.items() if key in deltas}
            if not here:
                found: Tensor = plain(module, x)
                return found
            flat = x.reshape(-1, x.shape[-1])
            if len(flat) != self.rows.total:
                here = _for_all(self.rows)
            return _add_deltas(
                module, plain, flat, {key: (deltas[key], here[key]) for key in here}
            ).view(*x.shape[:-1], -1)

        return forward


def _for_all(rows: StepRows) -> dict[str, slice]:
    """Other rows than the step's, which are all of the one adapter where there is one alone."""
    if len(rows.of) > 1 or any(each != slice(0, rows.total) for each in rows.of.values()):
        raise MixedRows
    return {key: slice(None) for key in rows.of}


def _add_deltas(
    module: nn.Module, plain: Any, x: Tensor, deltas: Mapping[str, tuple[_Delta, slice]]
) -> Tensor:
    """What the linear and its adapters make of rows (T, d_in)."""
    scaled = x
    for delta, rows in deltas.values():
        if isinstance(delta, _Factors) and delta.at_input:
            scaled = x.clone() if scaled is x else scaled
            scaled[rows] = (x[rows] * delta.factors).to(x.dtype)
    y: Tensor = plain(module, scaled)
    bias: Tensor | None = module.bias  # type: ignore[assignment]
    for delta, rows in deltas.values():
        if isinstance(delta, _LowRank):
            y[rows].addmm_(x[rows] @ delta.down, delta.up)
            if delta.ratio is not None:
                y[rows] = dora.rescaled(y[rows], bias, delta.ratio)
        elif not delta.at_input:
            y[rows] = (y[rows] * delta.factors).to(y.dtype)
    return y


@torch.no_grad()
def _low_rank(delta: LowRankDelta, weight: Tensor) -> _LowRank:
    a, b = delta.a.to(weight.device), delta.b.to(weight.device)
    ratio = None
    if delta.magnitude is not None:
        squares = dora.squared_norms(weight)
        norms = dora.direction_norms(weight, squares, a, b, delta.scale)
        ratio = delta.magnitude.to(weight.device) / norms
    down, up = a.t().to(weight.dtype), (b * delta.scale).t().to(weight.dtype)
    return _LowRank(down.contiguous(), up.contiguous(), ratio)


def _misfit(path: str) -> ModelError:
    return ModelError(f"the adapter does not fit this base model: {path} has another shape")


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
        step = PagedStep(rows, self._cache, device, self._keys_and_values_of_prefix(ordered, rows))
        with attention.using(self._lm.model, paged.NAME):
            states = paged.run(self._lm.model, self._embed(given, ordered, rows), step)
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
        return _Virtual(len(weights.states), None, self._states_of_prefix(weights.states))

    def _states_of_prefix(self, states: Tensor) -> Tensor:
        from finewright.lm.adapters.prefix import heads_of

        model = self._lm.model
        heads = heads_of(model.config.get_text_config(), type(model).__name__)
        if states.shape[1] != heads.width:
            raise ModelError(
                "the adapter does not fit this base model: its prefix is of another width"
            )
        wide = states.to(model.device, model.dtype).view(len(states), -1, *heads[1:])
        return wide.permute(1, 2, 0, 3)

    def _embed(self, ids: Tensor, pieces: Sequence[Piece], rows: Sequence[PagedRow]) -> Tensor:
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

    def _keys_and_values_of_prefix(
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
