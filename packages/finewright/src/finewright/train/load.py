"""From resolved settings to a model that can be trained."""

import torch

from finewright.lm import runtime
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.adapters.linears import refuse_misfit
from finewright.lm.load import load_model
from finewright.lm.load_chat import text_ids
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import PromptSpec
from finewright.schema.train import TrainSettings


def load_for_training(base: LocalBase, spec: TrainSettings, *, consent: str = "") -> LM:
    """The base model with a fresh adapter, as resolved settings want it; sets this process's threads.

    Raises ModelError when the adapter does not fit the model."""
    assert spec.dtype != "auto"
    torch.set_num_threads(spec.threads or runtime.physical_cores())
    model = load_model(base, dtype=spec.dtype, consent=consent, place=False)
    refuse_misfit(model, spec.adapter)
    adapter, words = spec.adapter, tuple[int, ...]()
    if isinstance(adapter, PromptSpec) and adapter.init_text:
        words = text_ids(base, adapter.init_text, consent=consent)
    device = runtime.device()
    lm = LM(model, add_adapter(model, adapter, seed=spec.seed, device=device, text_ids=words))
    if spec.memory == "lean":
        lm.recompute()
    return lm
