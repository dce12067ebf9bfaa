"""The weights of a base model in shards over several processes: each holds 1 / n of every weight.

FSDP2 (Zhao et al. 2023, arXiv:2304.11277; torch's `fully_shard`): a decoder layer's weights are gathered
before it computes and let go after it, in the forward and again in the backward; embeddings, head and last
norm are gathered once a pass and kept to its end. An adapter is small: each process has all of it.

Where the weights themselves learn, each process gets the sum of all processes' gradients of its shard, in
float32, after each pass: so it steps its own shard alone, and holds 1 / n of masters and moments (Rajbhandari
et al. 2020, "ZeRO", arXiv:1910.02054, stage 3).

All processes must run as many passes as each other, in the same order, as each layer's weights come from
all of them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from finewright.errors import ModelError
from finewright.lm.fast.compiled import give_back_memory
from finewright.lm.fast.library import let_go

_ENTRANCE = "run_base_model"
_REDUCE_UNUSED = "set_reduce_scatter_unused_params"
"""A method of FSDPModule, of newer torches: an expert to which one process routes no token has no gradient
there."""


def shard(
    model: PreTrainedModel,
    replicated: set[nn.Parameter],
    device: torch.device,
    group: "dist.ProcessGroup | None" = None,
) -> None:
    """Move this process's shard of each weight to `device`, layer by layer, and let go of the rest, but for
    what is `replicated`. From then on `model.base_model(...)` gathers what it needs, and the head is there
    until the backward is done.

    Raises ModelError where the family has no layers that could be gathered one by one, and where weights
    learn and this torch leaves out of a sum what one process has no gradient of."""
    layers, learns = (
        _layers(model),
        any(p.requires_grad for p in set(model.parameters()) - replicated),
    )
    if not layers or model.base_model is model:
        raise ModelError(
            f"{type(model).__name__}: no layer of this family can be sharded",
            hint="set launch.fsdp to false",
        )
    if learns and not hasattr(FSDPModule, _REDUCE_UNUSED):
        raise ModelError(
            f"torch {torch.__version__} does not shard weights that learn: {_REDUCE_UNUSED} is missing",
            hint="install a newer torch, train an adapter, or set launch.fsdp to false",
        )
    mesh = DeviceMesh.from_group(group or dist.distributed_c10d._get_default_group(), device.type)
    for parameter in replicated:
        parameter.data = parameter.data.to(device)
    for module in (*layers, model):
        originals = [p.detach() for p in module.parameters() if not isinstance(p, DTensor)]
        fully_shard(
            module,
            mesh=mesh,
            reshard_after_forward=module is not model,
            ignored_params=replicated,
            mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32),
        )
        for original in originals:
            let_go(original)
    if learns:
        _sum_gradients(model)
    _enter_by_base_model(model)
    give_back_memory()


def _sum_gradients(model: nn.Module) -> None:
    """Sum over all processes, where FSDP takes the mean, also where some have no gradient of a weight."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(enable=True)
    getattr(model, _REDUCE_UNUSED)(True)


def _enter_by_base_model(model: PreTrainedModel) -> None:
    """Let the root's weights be gathered when its base model is called, as the engine does, past the model's
    own forward."""
    inner = model.base_model
    setattr(model, _ENTRANCE, inner.forward)
    register_fsdp_forward_method(model, _ENTRANCE)
    enter = getattr(model, _ENTRANCE)

    def forward(*args: Any, **kwargs: Any) -> Any:  # Any: the family's own signature
        try:
            return enter(*args, **kwargs)
        except BaseException:
            assert isinstance(model, FSDPModule)
            model.reset_iter_state()  # a probe leaves a forward in its middle
            raise

    inner.forward = forward


def is_sharded(model: nn.Module) -> bool:
    """Whether its weights are in shards."""
    return isinstance(model, FSDPModule)


def let_go_of_others(model: nn.Module) -> None:
    """Hold only this process's shard of each weight; a forward without a backward leaves the root's whole."""
    if isinstance(model, FSDPModule):
        model.reshard()


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of it, not a copy; all where it is in no shards."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def part_like(whole: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor what this process holds of one in the shards of `like`."""
    if not isinstance(like, DTensor):
        return whole
    on_device = whole.to(like.device)
    return own_part(
        distribute_tensor(on_device, like.device_mesh, like.placements, src_data_rank=None)
    )


def shard_like(part: Tensor, like: Tensor) -> Tensor:
    """This process's part as a shard of a tensor of the shape of `like`; as it is where that is in none."""
    if not isinstance(like, DTensor):
        return part
    mesh, places = like.device_mesh, like.placements
    return DTensor.from_local(
        part, mesh, places, run_check=False, shape=like.shape, stride=like.stride()
    )


def gather_whole(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Each tensor whole, those in shards on the CPU, one after another. All processes must call it; where
    not `keep`, those in shards are left out."""
    found = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, DTensor):
            found[name] = tensor
            continue
        whole = tensor.full_tensor()
        if keep:
            found[name] = whole.cpu()
    return found


def modules_while_whole(model: nn.Module) -> Iterator[nn.Module]:
    """All modules, each while its weights are whole; of a model in one piece simply all."""
    held: FSDPModule | None = None
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.unshard()
            if module is not model:
                if held is not None:
                    held.reshard()
                held = module
        yield module
    for sharded in (held, model):
        if isinstance(sharded, FSDPModule):
            sharded.reshard()


class ShardedBytes(NamedTuple):
    """Of a sharded model's weights: what this process holds between passes, of all those that decoder layers
    gather and of all others."""

    own: int
    layers: int
    others: int


def count_bytes(model: FSDPModule) -> ShardedBytes:
    """Without what each process has whole."""
    assert isinstance(model, nn.Module)
    let_go_of_others(model)
    shards = [p for p in model.parameters() if isinstance(p, DTensor)]
    own = sum(p.to_local().nbytes for p in shards)
    layers = {p for m in _layers(model) for p in m.parameters() if isinstance(p, DTensor)}
    of_layers = sum(p.numel() * p.itemsize for p in layers)
    return ShardedBytes(own, of_layers, sum(p.numel() * p.itemsize for p in shards) - of_layers)


def _layers(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]


class LentWeight:
    """The weight of a frozen linear as FSDP lends it: a `PackedWeight` that is whole while its layer
    computes."""

    def __init__(self, linear: nn.Linear) -> None:
        self._linear = linear
        rows, width = linear.weight.shape
        self.shape = (rows, width)
        self.nbytes = linear.weight.nbytes

    def unpack(self, out: Tensor) -> None:
        """Write the weight into `out`, (d_out, d_in) with contiguous rows."""
        out.copy_(self._linear.weight.detach())
