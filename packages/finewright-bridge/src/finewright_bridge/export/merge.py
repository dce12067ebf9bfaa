"""One model of a base and its adapter: each adapted layer becomes the one weight that computes the same.

Products of adapters are added in float32 and rounded once to the number format that the model is computed in,
and once more where it is saved in a narrower one."""

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from finewright.errors import ModelError
from finewright.lm.adapters.linears import OnLinear, Transposed
from finewright.lm.adapters.whole import WholeModel, save_whole
from finewright.lm.model import LM
from finewright_bridge.export.half import refuse_overflow


def merge(lm: LM) -> PreTrainedModel:
    """The model without an adapter; `lm` is taken apart and is of no use afterwards.

    Raises ModelError for an adapter that is no change of weights: virtual tokens stand beside them."""
    for part in lm.adapters.values():
        if not isinstance(part, OnLinear | WholeModel):
            raise ModelError(
                f"an adapter of virtual tokens ({type(part).__name__.lower()}) cannot be merged into weights",
                hint="export it with --to hub-folder, or train LoRA",
            )
    _refuse_shared(lm)
    for path, part in lm.adapters.items():
        if isinstance(part, OnLinear):
            lm.model.set_submodule(path, _plain(part))
    return lm.model


def _refuse_shared(lm: LM) -> None:
    """Of layers that share a weight only one is written, and their adapters differ."""
    ties = lm.model.all_tied_weights_keys
    shared = {*ties, *ties.values()}
    for path, part in lm.adapters.items():
        if isinstance(part, OnLinear) and f"{path}.weight" in shared:
            raise ModelError(
                f"{path}: this family keeps one weight for several layers, and each has an adapter of its"
                " own, so that no merged weight is right for all",
                hint="export it with --to hub-folder",
            )


def _plain(part: OnLinear) -> nn.Module:
    with torch.no_grad():
        weight, bias = part.merged().to(part.dtype), part.merged_bias()
    module: nn.Module
    if isinstance(part.base, Transposed):
        module = Conv1D(*weight.shape)
        weight = weight.T.contiguous()
    else:
        module = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    module.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        module.bias = nn.Parameter(bias.detach().to(weight.dtype), requires_grad=False)
    return module


def save_merged(folder: Path, model: PreTrainedModel, base: Path, dtype: str = "") -> None:
    """Write the weights in torch's number format of this name, or in the one that the model is computed in,
    with the base's code. Raises OSError, and ModelError for a weight that the format cannot hold."""
    if dtype == "float16":
        for name, weight in model.state_dict().items():
            refuse_overflow(float(weight.abs().max()) if weight.numel() else 0.0, name)
    with redirect_stderr(StringIO()):  # it draws a bar
        save_whole(folder, model.to(getattr(torch, dtype) if dtype else model.dtype), base)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # transformers leaves them to their owner alone
