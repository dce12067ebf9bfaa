"""From resolved settings to a model that can be trained."""

import torch

from finewright.lm import runtime
from finewright.lm.load import load_model
from finewright.lm.lora import add_lora
from finewright.lm.model import LM
from finewright.lm.sources import BaseModel
from finewright.schema.methods import AnyTrainSpec


def load_for_training(base: BaseModel, spec: AnyTrainSpec, *, consent: str = "") -> LM:
    """The base model with a fresh adapter, as resolved settings want it; sets this process's threads."""
    assert spec.dtype != "auto"
    torch.set_num_threads(spec.threads or runtime.physical_cores())
    model = load_model(base, dtype=spec.dtype, consent=consent, place=False)
    lm = LM(model, add_lora(model, spec.adapter, seed=spec.seed, device=runtime.device()))
    if spec.memory == "lean":
        lm.recompute()
    return lm
