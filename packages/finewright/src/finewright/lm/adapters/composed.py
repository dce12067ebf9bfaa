"""A new LoRA beside a frozen one: what a run trains that builds on another run's adapter.

    y = x W^T + b + s_n (x A_n^T) B_n^T + s_p (x A_p^T) B_p^T      W, A_p, B_p frozen

The sum is one LoRA of rank r_n + r_p, A = [A_n; A_p], B = [s_n B_n, s_p B_p] at scale 1: PEFT's `cat` of
`add_weighted_adapter`. It is what is stored, an ordinary adapter of the model that the parent's is of, and
exact in float32: nothing is merged into W, whose bfloat16 would lose what is below half a unit in the last
place. Layers that only one of the two has a delta on have zeros in the other's place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.adapters import files
from finewright.lm.adapters.linears import as_linears, keeper, linear_paths, put_on, target_paths
from finewright.lm.adapters.lora import LoraLinear
from finewright.lm.adapters.pissa import LowRankFactors
from finewright.lm.fast.linear import Frozen, roomy_linear
from finewright.schema.adapter import LoraSpec

_A, _B = "lora_A.weight", "lora_B.weight"
_PREFIX = "base_model.model."


class ComposedLora(LoraLinear):
    """A LoRA that learns, beside the parent's, whose scale is in its B."""

    combines = True
    parent_a: Tensor
    parent_b: Tensor

    def __init__(
        self,
        base: nn.Linear,
        spec: LoraSpec,
        generator: torch.Generator,
        frozen: Frozen,
        parent: LowRankFactors,
    ) -> None:
        device = base.weight.device
        super().__init__(base, spec, generator, frozen)
        self.own_scale, self.scale = self.scale, 1.0
        self.register_buffer("parent_a", parent.a.to(device), False)
        self.register_buffer("parent_b", parent.b.to(device), False)

    @property
    def stored_spec(self) -> LoraSpec:
        """Of the sum."""
        rank = self.spec.r + len(self.parent_a)
        return self.spec.model_copy(update={"r": rank, "alpha": rank, "use_rslora": False})

    def combine(self) -> LowRankFactors:
        """A and B of the sum, at scale 1."""
        return LowRankFactors(
            torch.cat((self.lora_A, self.parent_a)),
            torch.cat((self.lora_B * self.own_scale, self.parent_b), 1),
        )

    def tensors(self) -> dict[str, Tensor]:
        """What is trained, and what it stands beside."""
        parent = {"parent_A.weight": self.parent_a, "parent_B.weight": self.parent_b}
        return {_A: self.lora_A.detach(), _B: self.lora_B.detach(), **parent}

    @torch.no_grad()
    def in_float32(self) -> Self:
        """The layer as it is stored, over the same weight in float32."""
        raise NotImplementedError  # what is stored is loaded as a plain LoRA

    def _with_dropout(self, x: Tensor) -> Tensor:
        """The parent's part sees what it saw when its training had ended: no dropout."""
        weight, bias, _, b, scale = self.node_inputs()
        own = F.linear(F.dropout(x, self.dropout), self.lora_A.to(x.dtype))
        low = torch.cat((own, F.linear(x, self.parent_a.to(x.dtype))), -1)
        return roomy_linear(x, low, weight, bias, b, scale)


def add_beside(
    model: PreTrainedModel,
    parent: Path,
    spec: LoraSpec,
    *,
    seed: int,
    device: torch.device | None = None,
    lent: bool = False,
) -> dict[str, ComposedLora]:
    """Put a fresh LoRA on the model, in place, beside the one stored in the parent's folder.

    Raises ModelError where the parent's is no plain LoRA or does not fit the model."""
    known = read_factors(parent)
    own, linears = set(target_paths(model, spec.target_modules)), linear_paths(model)
    if odd := sorted(known.keys() - set(linears)):
        raise ModelError(f"{parent}: the adapter does not fit this base model: {odd[0]}")
    paths = [path for path in linears if path in own or path in known]
    as_linears(model, paths)
    rank = len(next(iter(known.values())).a)
    generator = torch.Generator().manual_seed(seed)
    room = spec.r + rank
    keep = keeper(model, paths, quantization=spec.quantization, room=room, device=device, lent=lent)

    def make(path: str, base: nn.Linear, frozen: Frozen) -> ComposedLora:
        nothing = LowRankFactors(
            torch.zeros(rank, base.in_features), torch.zeros(base.out_features, rank)
        )
        part = ComposedLora(base, spec, generator, frozen, known.get(path, nothing))
        if path not in own:
            part.lora_A.requires_grad_(False)
            part.lora_B.requires_grad_(False)
        return part

    return put_on(model, paths, make, keep, None if lent else device)


def read_factors(folder: Path) -> dict[str, LowRankFactors]:
    """The stored adapter's A and scaled B, float32, by the path of the layer."""
    spec = files.read_adapter_spec(folder)
    if not isinstance(spec, LoraSpec) or spec.use_dora:
        raise ModelError(f"{folder}: only plain LoRA can stand beside another one")
    scale = spec.alpha / (spec.r**0.5 if spec.use_rslora else spec.r)
    tensors = files.read_tensors(folder)
    paths = {n.removeprefix(_PREFIX).removesuffix(f".{_A}") for n in tensors if n.endswith(_A)}
    return {
        path: LowRankFactors(
            tensors[f"{_PREFIX}{path}.{_A}"].float(),
            tensors[f"{_PREFIX}{path}.{_B}"].float() * scale,
        )
        for path in paths
    }


def start_of(stored: Mapping[str, Tensor], parent: Path) -> dict[str, Tensor]:
    """What a stored adapter was before its training, which began from the parent's: the parent's own where it
    is the same adapter trained on, else the sum with nothing learned beside it."""
    before = files.read_tensors(parent)
    if all(n in before and before[n].shape == t.shape for n, t in stored.items()):
        return before
    rank = next(len(tensor) for name, tensor in before.items() if name.endswith(_A))
    start = {name: tensor.clone() for name, tensor in stored.items()}
    for name, tensor in start.items():
        if name.endswith(_B):
            tensor[:, : tensor.shape[1] - rank] = 0
    return start
