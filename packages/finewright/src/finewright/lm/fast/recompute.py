"""Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): keep each decoder layer's input only.

The backward runs a layer's forward again before its own backward. Saved activations fall from about
14 numbers of the width a token and layer to one; a step costs one more forward, about a third more time.
transformers marks the layers that can be run again by a class of their own."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer


def install(
    model: nn.Module, within: Callable[[], AbstractContextManager[None]], *, draws: bool
) -> int:
    """Let every decoder layer recompute; the number of layers that do.

    `within` gives the context that the second forward needs; `draws` says that layers draw random
    numbers, which must then come out alike."""
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    for layer in layers:
        layer.forward = _recomputed(layer.forward, within, draws=draws)
    return len(layers)


def _recomputed(
    own: Callable[..., Any], within: Callable[[], AbstractContextManager[None]], *, draws: bool
) -> Callable[..., Any]:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), within()

    def forward(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return own(*args, **kwargs)
        options: dict[str, Any] = {"use_reentrant": False, "context_fn": contexts}
        return checkpoint(own, *args, preserve_rng_state=draws, **options, **kwargs)

    return forward
