"""What a family makes of the head's products: most nothing, some cap or scale them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from finewright.lm.fast.head import Head


class Logits:
    """Last hidden states to logits, (..., d) -> (..., V)."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._change = change_of(model.config.get_text_config())

    def __call__(self, states: Tensor) -> Tensor:
        """The logits as transformers has them."""
        logits: Tensor = self._model.get_output_embeddings()(states)
        return logits if self._change is None else self._change(logits)

    def head(self, temperature: float) -> Head | None:
        """The head for logits / temperature, or None when it is no plain linear.

        Where it does nothing to its products, the division is left to be made on the states."""
        module = self._model.get_output_embeddings()
        if type(module) is not nn.Linear:
            return None
        change = self._change
        if temperature == 1.0 or (change is None and module.bias is None):
            return Head(module.weight, module.bias, change)
        return Head(
            module.weight, module.bias, lambda x: (change(x) if change else x) / temperature
        )


def change_of(config: PreTrainedConfig) -> Callable[[Tensor], Tensor] | None:
    """What a family makes of its head's products, or None for nothing."""
    cap = getattr(config, "final_logit_softcapping", None)
    times = ("logit_scale", "lm_head_multiplier")
    scale = math.prod(getattr(config, name, None) or 1.0 for name in times) / (
        getattr(config, "logits_scaling", None) or 1.0
    )
    if not cap and scale == 1.0:
        return None

    def change(logits: Tensor) -> Tensor:
        if cap:
            logits = torch.tanh(logits / cap) * cap
        return logits if scale == 1.0 else logits * scale

    return change
