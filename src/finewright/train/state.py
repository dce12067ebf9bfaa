"""What decides the next step of a run, out of the live objects and back into them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from finewright.lm.model import LM
from finewright.train.checkpoint import State
from finewright.train.loop import Method
from finewright.train.optimizer import Optimizer


def make_optimizer(lm: LM, method: Method, *, weight_decay: float) -> Optimizer:
    """AdamW over what the adapter and the method train."""
    return Optimizer([*lm.parameters(), *method.parameters()], weight_decay=weight_decay)


def state_of(lm: LM, method: Method, optimizer: Optimizer) -> State:
    """The state as it is now; tensors are the live ones."""
    weights = {name: p.detach() for name, p in _trained(lm, method).items()}
    return State(weights, optimizer.tensors(), method.state())


@torch.no_grad()
def put_back(state: State, lm: LM, method: Method, optimizer: Optimizer) -> None:
    """Make the live objects what they were."""
    put_weights_back(state.weights, lm, method)
    optimizer.restore(state.optimizer)
    method.restore(state.method)


@torch.no_grad()
def put_weights_back(weights: Mapping[str, Tensor], lm: LM, method: Method) -> None:
    """Only what is trained, as after the best step of a run that went on."""
    trained = _trained(lm, method)
    assert trained.keys() == weights.keys()  # a checkpoint's key names the run's settings
    for name, parameter in trained.items():
        parameter.copy_(weights[name])


def _trained(lm: LM, method: Method) -> dict[str, nn.Parameter]:
    model = {name: p for name, p in lm.model.named_parameters() if p.requires_grad}
    heads = {f"method.{number}": p for number, p in enumerate(method.parameters())}
    return {**model, **heads}
