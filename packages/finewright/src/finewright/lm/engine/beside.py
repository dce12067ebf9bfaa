"""Adapters beside frozen linears: one product with the base's weight for all rows of a step, and for each
adapter thin ones for its own rows (Punica, Chen et al. 2023, arXiv:2310.18547; S-LoRA, arXiv:2311.03285).

An adapter costs its own bytes, in the model's number format, and no copy of the base. Where training rounds
base and delta once, as one sum, here each is rounded: half a unit in the last place apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from finewright.errors import ModelError
from finewright.lm.engine.weights import AdapterWeights, LinearDelta, LowRankDelta
from finewright.lm.fast import dora


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
        made = {path: self._fitted(path, delta) for path, delta in weights.linears.items()}
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

    def _fitted(self, path: str, delta: LinearDelta) -> _Delta:
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
            return _adapted(
                module, plain, flat, {key: (deltas[key], here[key]) for key in here}
            ).view(*x.shape[:-1], -1)

        return forward


def _for_all(rows: StepRows) -> dict[str, slice]:
    """Other rows than the step's, which are all of the one adapter where there is one alone."""
    if len(rows.of) > 1 or any(each != slice(0, rows.total) for each in rows.of.values()):
        raise MixedRows
    return {key: slice(None) for key in rows.of}


def _adapted(
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
