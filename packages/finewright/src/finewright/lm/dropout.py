"""A model's own dropout, switched off: the spec is the only source of it.

A config may bring dropout of its own (Seed-OSS and GPT-2 have 0.1 of it), which would act in training
whatever the spec says. Noise on a router's inputs (PhiMoE) is of the same kind."""

from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from transformers import PreTrainedModel

from finewright.lm.adapters.part import AdapterPart

_NAMES = ("drop", "jitter")


def switch_off_dropout(model: PreTrainedModel) -> None:
    """In place, for good: layers of dropout, and the shares that modules and the config hold by name. An
    adapter's stays."""
    for module in model.modules():
        if isinstance(module, AdapterPart):
            continue
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        _switch_off(module)
    _switch_off(model.config.get_text_config())


def _switch_off(holder: nn.Module | object) -> None:
    for name, value in vars(holder).items():
        if isinstance(value, float) and any(part in name for part in _NAMES):
            setattr(holder, name, 0.0)
