"""What decides the next step of a run, out of the live objects and back into them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from finewright.lm.adapters.kinds import set_adapter_tensors
from finewright.lm.model import LM
from finewright.lm.sharded import gather_whole
from finewright.schema.common import without
from finewright.train.checkpoint import State
from finewright.train.loop import Method
from finewright.train.optimizer import Optimizer


def make_optimizer(lm: LM, method: Method, *, weight_decay: float) -> Optimizer:
    """AdamW over what the adapter and the method train."""
    return Optimizer([*lm.parameters(), *method.parameters()], weight_decay=weight_decay)


def state_of(lm: LM, method: Method, optimizer: Optimizer) -> State:
    """The state as it is now; tensors are the live ones."""
    weights = {**lm.tensors_to_keep(), **_heads(method)}
    return State(weights, optimizer.tensors(), method.state())


def gather_state(state: State, *, keep: bool) -> State:
    """The state with its shards whole (see `gather_whole`). All ranks must call it."""
    weights, optimizer = (gather_whole(t, keep=keep) for t in (state.weights, state.optimizer))
    return State(weights, optimizer, state.method)


def put_back(state: State, lm: LM, method: Method, optimizer: Optimizer) -> None:
    """Make the live objects what they were."""
    put_weights_back(state.weights, lm, method)
    optimizer.restore(state.optimizer)
    method.restore(state.method)


@torch.no_grad()
def put_weights_back(weights: Mapping[str, Tensor], lm: LM, method: Method) -> None:
    """Only what is trained, as after the best step of a run that went on."""
    heads = _heads(method)
    own = without(weights, heads)
    set_adapter_tensors(lm.adapters, own, origin="checkpoint")
    for name, head in heads.items():
        head.copy_(weights[name])


def _heads(method: Method) -> dict[str, Tensor]:
    return {f"method.{number}": p.detach() for number, p in enumerate(method.parameters())}
