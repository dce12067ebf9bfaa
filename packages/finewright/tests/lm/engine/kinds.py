"""A model with an adapter of each kind that matters, and the folder that it is stored in."""

from pathlib import Path

import torch
from transformers import PreTrainedModel

import tiny
from finewright.lm.adapters.kinds import adapter_tensors, add_adapter, save_adapter
from finewright.lm.adapters.part import Parts
from finewright.lm.engine.weights import AdapterWeights, weights_of
from finewright.lm.model import LM
from finewright.schema.adapter import AdapterSpec, IA3Spec, LoraSpec, PrefixSpec, PromptSpec

# More virtual tokens than the sliding window sees.
_N = tiny.WINDOW + 2
SPECS: dict[str, AdapterSpec] = {
    "lora": LoraSpec(r=4),
    "rslora": LoraSpec(r=4, use_rslora=True),
    "dora": LoraSpec(r=4, use_dora=True),
    "pissa": LoraSpec(r=4, init="pissa"),
    "ia3": IA3Spec(),
    "prompt": PromptSpec(num_virtual_tokens=_N),
    "prefix": PrefixSpec(num_virtual_tokens=_N),
}


def adapted(family: str, kind: str, seed: int = 2) -> LM:
    """A model with an adapter far from its start."""
    model = tiny.tiny_model(family)
    return LM(model, _far(model, kind, seed))


def learned(family: str, kind: str, seed: int = 2) -> AdapterWeights:
    """The weights of `adapted`, without the model, which is probed whenever one is made."""
    return weights_of(_far(tiny.tiny_model(family), kind, seed))


def _far(model: PreTrainedModel, kind: str, seed: int) -> Parts:
    parts = add_adapter(model, SPECS[kind], seed=0)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in adapter_tensors(parts).items():
        if "start_" not in name:
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return parts


def stored(lm: LM, kind: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    save_adapter(folder, lm.model, lm.adapters, SPECS[kind], base=tiny.base_of(Path("base")))
    return folder
