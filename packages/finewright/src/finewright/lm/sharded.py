"""The weights of a base model in shards over several processes: each holds 1 / n of every weight.

FSDP2 (Zhao et al. 2023, arXiv:2304.11277; torch's `fully_shard`): a decoder layer's weights are gathered
before it computes and let go after it, in the forward and again in the backward; embeddings, head and last
norm are gathered once a pass and kept to its end. An adapter is small: each process has all of it.

All processes must run as many passes as each other, in the same order, as each layer's weights come from
all of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from finewright.errors import ModelError
from finewright.lm.fast.compiled import give_back_memory
from finewright.lm.fast.library import let_go

_ENTRANCE = "run_base_model"


def shard(
    model: PreTrainedModel,
    replicated: set[nn.Parameter],
    device: torch.device,
    group: "dist.ProcessGroup | None" = None,
) -> None:
    """Move this process's shard of each weight to `device`, layer by layer, and let go of the rest, but for
    what is `replicated`. From then on `model.base_model(...)` gathers what it needs, and the head is there
    until the backward is done.

    Raises ModelError where the family has no layers that could be gathered one by one."""
    layers = _layers(model)
    if not layers or model.base_model is model:
        raise ModelError(
            f"{type(model).__name__}: no layer of this family can be sharded",
            hint="set launch.fsdp to false",
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
        )
        for original in originals:
            let_go(original)
    _enter_by_base_model(model)
    give_back_memory()


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
    model.reshard()  # a forward without a backward leaves the root's weights whole
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
