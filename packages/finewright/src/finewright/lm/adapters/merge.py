"""Two LoRA adapters of one base model as one.

    delta_n = s_n B_n A_n                        what adapter n adds to a layer
    linear: w_1 delta_1 + w_2 delta_2            exact: A = [A_1; A_2], B = [w_1 s_1 B_1, w_2 s_2 B_2]
    ties:   trim, elect signs, disjoint mean     Yadav et al. 2023, arXiv:2306.01708
    dare:   drop at random, rescale by 1/density, then the weighted sum    Yu et al. 2024, arXiv:2311.03099

ties and dare work on the dense deltas, layer by layer as in PEFT (the papers trim over the whole model), by
PEFT's own functions. What they give has no low rank: it is stored as its best approximation of rank
r_1 + r_2, by the SVD, and how much of it that leaves out is returned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.adapters.composed import read_factors
from finewright.lm.adapters.pissa import LowRankFactors

MergeMethod = Literal["linear", "ties", "dare"]
_PREFIX = "base_model.model."


class MergedAdapter(NamedTuple):
    """The weights under PEFT's names at scale 1, their rank, and the share of the merged deltas' squared norm
    that the rank leaves out."""

    tensors: dict[str, Tensor]
    rank: int
    left_out: float


def merge_adapters(
    folders: Sequence[Path],
    method: MergeMethod,
    weights: Sequence[float],
    *,
    density: float,
    seed: int,
) -> MergedAdapter:
    """The adapters of these folders as one. Raises ModelError for what is no plain LoRA, and for adapters of
    which a layer has other sizes."""
    parts = [read_factors(folder) for folder in folders]
    paths = sorted({path for part in parts for path in part})
    ranks = [len(next(iter(part.values())).a) for part in parts]
    tensors: dict[str, Tensor] = {}
    whole = lost = 0.0
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for path in paths:
            found = [
                _with_zeros(part, parts, path, rank)
                for part, rank in zip(parts, ranks, strict=True)
            ]
            if len({(f.a.shape[1], f.b.shape[0]) for f in found}) > 1:
                raise ModelError(f"{folders[1]}: {path} has other sizes than in {folders[0]}")
            if method == "linear":
                scaled = [w * f.b for w, f in zip(weights, found, strict=True)]
                made = LowRankFactors(torch.cat([f.a for f in found]), torch.cat(scaled, 1))
            else:
                delta = _merge_dense([f.b @ f.a for f in found], method, weights, density)
                made = _best_factors(delta, sum(ranks))
                whole += float(delta.square().sum())
                lost += float((delta - made.b @ made.a).square().sum())
            tensors[f"{_PREFIX}{path}.lora_A.weight"] = made.a.contiguous()
            tensors[f"{_PREFIX}{path}.lora_B.weight"] = made.b.contiguous()
    return MergedAdapter(tensors, sum(ranks), lost / whole if whole else 0.0)


def _with_zeros(
    part: Mapping[str, LowRankFactors],
    parts: Sequence[Mapping[str, LowRankFactors]],
    path: str,
    rank: int,
) -> LowRankFactors:
    """The factors of the layer; zeros where only another adapter has a delta on it."""
    if path in part:
        return part[path]
    other = next(each[path] for each in parts if path in each)
    return LowRankFactors(torch.zeros(rank, other.a.shape[1]), torch.zeros(other.b.shape[0], rank))


def _merge_dense(
    deltas: list[Tensor], method: MergeMethod, weights: Sequence[float], density: float
) -> Tensor:
    from peft.utils import merge_utils

    merge = merge_utils.ties if method == "ties" else merge_utils.dare_linear
    merged: Tensor = merge(deltas, torch.tensor(weights), density)
    return merged


def _best_factors(delta: Tensor, rank: int) -> LowRankFactors:
    """A and B of that rank whose product is nearest to the delta (Eckart & Young 1936)."""
    left, values, right = torch.linalg.svd(delta, full_matrices=False)
    kept = min(rank, len(values))
    root = values[:kept].sqrt()
    a, b = torch.zeros(rank, delta.shape[1]), torch.zeros(delta.shape[0], rank)
    a[:kept] = root[:, None] * right[:kept]
    b[:, :kept] = left[:, :kept] * root
    return LowRankFactors(a, b)
