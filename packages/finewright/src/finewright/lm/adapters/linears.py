"""Adapters that stand on linears: which ones, how their weights are kept, and what the model's device is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self, TypeVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from finewright.errors import ModelError
from finewright.estimate.families import LEAVE_OUT, why_no_adapter
from finewright.estimate.fit import misfits, no_such_layer
from finewright.estimate.shape import Linear
from finewright.lm.adapters.part import AdapterPart
from finewright.lm.fast.compiled import give_back_memory
from finewright.lm.fast.library import let_go
from finewright.lm.fast.linear import Frozen, PlainWeight
from finewright.lm.fast.mlp import is_experts
from finewright.lm.fast.quantized import KINDS, QuantizedWeight, scratch_bytes
from finewright.lm.sharded import LentWeight
from finewright.schema.adapter import AdapterSpec, Quantization


class Transposed(nn.Linear):
    """What a `Conv1D` computes (GPT-2), as a linear: y = x W + b with its W (d_in, d_out) turned round."""

    def __init__(self, original: Conv1D) -> None:
        d_in, d_out = original.weight.shape
        super().__init__(d_in, d_out, device="meta")
        self.weight = nn.Parameter(original.weight.detach().T.contiguous(), requires_grad=False)
        self.bias = original.bias


def is_lent(frozen: Frozen) -> bool:
    """Whether it is in shards, which its layer gathers as it computes."""
    return isinstance(frozen, QuantizedWeight) and isinstance(frozen.packed, LentWeight)


class OnLinear(AdapterPart):
    """A frozen linear and what changes it. `frozen` keeps the base's weight (see fast/linear.py)."""

    path = ""  # in the model

    def __init__(self, base: nn.Linear, frozen: Frozen) -> None:
        super().__init__()
        self.frozen = frozen
        self.dtype = base.weight.dtype
        # a weight that is not kept whole is no parameter
        if not is_lent(frozen):
            own = frozen.values if isinstance(frozen, PlainWeight) else None
            kept = None if own is None else nn.Parameter(own, requires_grad=False)
            base.register_parameter("weight", kept)
        self.base = base

    @property
    def weight(self) -> Tensor:
        """No tensor: whoever computes with it passes the adapter by. Raises ModelError."""
        raise ModelError(
            f"{self.path}: this family computes with the weight of this layer and does not call the layer,"
            " so that an adapter on it would not be heard",
            hint="leave it out of train.adapter.target_modules",
        )

    def read_weight(self) -> Tensor:
        """The frozen weight (d_out, d_in): good until the next weight of the model is made whole."""
        assert isinstance(self.frozen, PlainWeight | QuantizedWeight)
        return self.frozen.values

    def merge(self) -> Tensor:
        """The one weight (d_out, d_in), float32, that computes the same without the adapter."""
        raise NotImplementedError

    def merge_bias(self) -> Tensor | None:
        """The bias that goes with it."""
        return self.base.bias

    def in_float32(self) -> Self:
        """The layer as it is stored, over the same weight in float32."""
        raise NotImplementedError

    def wide_base(self) -> nn.Linear:
        """A linear of the same weight and bias in float32."""
        weight, bias = self.read_weight(), self.base.bias
        base = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device=weight.device)
        base.weight.data = weight.float().clone()
        if bias is not None:
            base.bias.data = bias.detach().float().clone()
        return base


Kept = TypeVar("Kept", bound=OnLinear)


def as_linears(model: PreTrainedModel, paths: Sequence[str]) -> None:
    """Put a `Transposed` in the place of each `Conv1D` among these, which computes the same."""
    for path in paths:
        module = model.get_submodule(path)
        if isinstance(module, Conv1D):
            model.set_submodule(path, Transposed(module))


def put_on(
    model: PreTrainedModel,
    paths: Sequence[str],
    make: Callable[[str, nn.Linear, Frozen], Kept],
    keep: Callable[[nn.Linear], Frozen],
    device: torch.device | None,
) -> dict[str, Kept]:
    """Put an adapter in the place of each linear; path -> adapter. Everything else is frozen.

    Weight by weight the original is moved to `device`, copied or packed, and let go, so that no second
    model is held anywhere."""
    model.requires_grad_(False)
    adapters: dict[str, Kept] = {}
    for path in paths:
        base = model.get_submodule(path)
        assert isinstance(base, nn.Linear)
        original = base.weight.detach()
        if device is not None:
            base.to(device)
        adapters[path] = make(path, base, keep(base))
        adapters[path].path = path
        model.set_submodule(path, adapters[path])
        let_go(original)
    if device is not None:
        model.to(device)
    _call_their_linears(model)
    give_back_memory()
    return adapters


def _call_their_linears(model: PreTrainedModel) -> None:
    """Let Mamba mixers call their adapted linears in training too.

    There transformers gives the weights of scan, convolution and last projection to one kernel where it is
    installed, past any adapter on the projection. Only the mixer's own `training` chooses that way."""
    for mixer in model.modules():
        parts = list(mixer.children())
        if any(isinstance(p, nn.Conv1d) for p in parts) and any(
            isinstance(p, OnLinear) for p in parts
        ):
            mixer.register_forward_pre_hook(_not_training)


def _not_training(mixer: nn.Module, _: object) -> None:
    mixer.training = False


def keeper(
    model: PreTrainedModel,
    paths: Sequence[str],
    *,
    quantization: Quantization,
    room: int,
    device: torch.device | None,
    lent: bool = False,
) -> Callable[[nn.Linear], Frozen]:
    """What keeps each weight, with `room` columns beside it: whole, or packed with one scratch for all, or
    `lent` with one scratch, where weights are to be sharded."""
    if quantization == "none" and not lent:
        return lambda linear: PlainWeight(linear.weight, room)
    weights = [model.get_submodule(path).weight for path in paths]
    sizes = [scratch_bytes(len(w), w.shape[1] + room, w.dtype) for w in weights]
    device = device or weights[0].device
    scratch = torch.empty(max(sizes), dtype=torch.uint8, device=device)
    if lent:
        return lambda linear: QuantizedWeight(LentWeight(linear), scratch, linear.weight.dtype)
    pack = KINDS[quantization].pack
    return lambda linear: QuantizedWeight(
        pack(linear.weight.detach()), scratch, linear.weight.dtype
    )


def _kinds_of_linears(model: PreTrainedModel) -> set[str]:
    """The last names of the linears without an adapter, but for the head."""
    head = model.get_output_embeddings()
    return {
        path.rpartition(".")[2]
        for path, module in model.named_modules()
        if type(module) in (nn.Linear, Conv1D) and module is not head and module.weight is not None
    }


def find_kept_whole(model: PreTrainedModel, adapters: Mapping[str, AdapterPart]) -> list[str]:
    """Kinds of layers that a quantised model has in full: those that are no linear with an adapter.

    Embeddings and head, which are never quantised, are not among them."""
    frozen = [part.frozen for part in adapters.values() if isinstance(part, OnLinear)]
    if all(isinstance(each, PlainWeight) or is_lent(each) for each in frozen):
        return []
    linears = _kinds_of_linears(model)
    experts = {type(module).__name__ for module in model.modules() if is_experts(module)}
    return sorted(linears | experts)


def linear_paths(model: PreTrainedModel) -> list[str]:
    """Paths of all linears but the head, in module order, with an adapter on them or not.

    GPT-2's `Conv1D` is one too, whose weight lies the other way round."""
    inner = {id(m.base) for m in model.modules() if isinstance(m, OnLinear)}
    left_out = {id(model.get_output_embeddings()), *inner}
    return [
        path
        for path, m in model.named_modules()
        if isinstance(m, OnLinear) or (type(m) in (nn.Linear, Conv1D) and id(m) not in left_out)
    ]


def refuse_misfit(model: PreTrainedModel, adapter: AdapterSpec) -> None:
    """Raise ModelError for targets that the fresh model lacks, and for a rank that no layer can have."""
    linears = []
    for path in linear_paths(model):
        module = model.get_submodule(path)
        sizes = list(module.weight.shape)
        inputs, outputs = sizes if isinstance(module, Conv1D) else reversed(sizes)
        linears.append((1, Linear(path.rpartition(".")[2], inputs, outputs)))
    for problem in misfits(adapter, linears):
        if problem.level == "error":
            raise ModelError(f"{problem.key}: {problem.message}", hint=problem.hint)


def target_paths(model: PreTrainedModel, targets: str | Sequence[str]) -> list[str]:
    """Paths of the linears to adapt, in module order: all but the head, or those whose name ends so.

    Raises ModelError when a name matches no linear."""
    linears = linear_paths(model)
    if not linears:
        raise ModelError(
            f"{type(model).__name__}: this family has no linear layer that can take an adapter",
            hint="set train.adapter.type to prompt or none",
        )
    family = model.config.get_text_config().model_type
    if targets == "all-linear":
        return [p for p in linears if not why_no_adapter(family, p)]
    _refuse_missing(targets, linears)
    chosen = [p for p in linears if any(matches(p, name) for name in targets)]
    for path in chosen:
        if reason := why_no_adapter(family, path):
            raise ModelError(f"{path}: {reason}", hint=LEAVE_OUT)
    return chosen


def _refuse_missing(targets: Iterable[str], linears: Sequence[str]) -> None:
    for name in targets:
        if not any(matches(path, name) for path in linears):
            odd = no_such_layer(name, sorted({path.rpartition(".")[2] for path in linears}))
            raise ModelError(f"{odd.key}: {odd.message}", hint=odd.hint)


def matches(path: str, name: str) -> bool:
    """Whether the path ends in this name."""
    return path == name or path.endswith(f".{name}")


def shortest_names(adapted: Sequence[str], linears: Sequence[str]) -> list[str]:
    """Leaf names where they pick exactly the adapted layers, else full paths."""
    leaves = sorted({path.rpartition(".")[2] for path in adapted})
    picked = {path for path in linears if path.rpartition(".")[2] in leaves}
    return leaves if picked == set(adapted) else sorted(adapted)
