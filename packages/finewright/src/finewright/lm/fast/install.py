"""Which modules of a model take a fast path, and why the others do not.

A trick finds its modules by their structure, never by a family's name, and is put on an instance: class,
parameters and names stay as they are. Each is compared with the module it stands for before it is used;
one that gives other numbers is left out, with the reason."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn
from transformers import PreTrainedModel

from finewright.lm.fast import attention, mlp, norm, rope
from finewright.lm.sharded import modules_while_whole


class Fallback(NamedTuple):
    """Modules of one class that run as transformers wrote them: how many, without which trick, and why."""

    module: str
    trick: str
    modules: int
    reason: str


def install(model: PreTrainedModel, adapter: type[nn.Module]) -> tuple[Fallback, ...]:
    """Put the tricks on all modules that they fit; the rest is said. `adapter` is the LoRA linear's class."""
    left = Counter(
        (type(module).__name__, trick, reason)
        for module in modules_while_whole(model)
        for trick, reason in _tried(module, model, adapter)
        if reason
    )
    return tuple(
        Fallback(module, trick, count, reason) for (module, trick, reason), count in left.items()
    )


def uninstall(model: PreTrainedModel) -> None:
    """Every module as transformers wrote it."""
    for module in model.modules():
        module.__dict__.pop("forward", None)


def _tried(
    module: nn.Module, model: PreTrainedModel, adapter: type[nn.Module]
) -> Iterator[tuple[str, str]]:
    if norm.is_norm(module):
        yield "norm", norm.install(module)
    if rope.is_rotary(module):
        yield "rope", rope.install(module)
    if attention.is_attention(module):
        yield "attention", attention.why_plain(module, model)
    if mlp.is_gated(module) and any(isinstance(m, adapter) for m in module.children()):
        yield "mlp", mlp.install(module, adapter)
    if mlp.is_experts(module):
        yield "mlp", "its experts share tensors that take no adapter"
