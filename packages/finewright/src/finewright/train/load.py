"""From resolved settings to a model that can be trained."""

from pathlib import Path

import torch
from transformers import PreTrainedModel

from finewright.lm import runtime
from finewright.lm.adapters.composed import add_beside
from finewright.lm.adapters.kinds import add_adapter, load_adapter
from finewright.lm.adapters.linears import refuse_misfit
from finewright.lm.adapters.part import AdapterPart
from finewright.lm.load import load_model
from finewright.lm.load_chat import text_ids
from finewright.lm.model import LM
from finewright.lm.sharded import shard
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import LoraSpec, PromptSpec
from finewright.schema.train import TrainSettings
from finewright.train.ranks import ALONE, Ranks


def load_for_training(
    base: LocalBase,
    spec: TrainSettings,
    *,
    consent: str = "",
    sharded_over: Ranks = ALONE,
) -> LM:
    """The base model with a fresh adapter, as resolved settings want it; where the base is a run, with that
    one's adapter trained further, or beside it. Its weights are in shards where ranks are named that share
    them. Sets this process's threads.

    Raises ModelError when the adapter does not fit the model."""
    assert spec.dtype != "auto"
    torch.set_num_threads(spec.stated_threads or runtime.physical_cores())
    model = load_model(base, dtype=spec.dtype, consent=consent, place=False)
    refuse_misfit(model, spec.adapter)
    adapter, words = spec.adapter, tuple[int, ...]()
    if isinstance(adapter, PromptSpec) and adapter.init_text:
        words = text_ids(base, adapter.init_text, consent=consent)
    device, lent = runtime.device(), sharded_over.size > 1
    if base.adapter is None:
        parts = add_adapter(
            model, adapter, seed=spec.seed, device=device, text_ids=words, lent=lent
        )
    else:
        parts = _adapter_on(base.adapter, model, spec, device, lent=lent)
    if lent:
        replicated = {p for part in parts.values() for p in part.parameters(recurse=False)}
        shard(model, replicated, device, sharded_over.group)
    lm = LM(model, parts)
    if base.adapter is not None:
        lm.start_from(lm.tensors_to_keep())
    if spec.memory == "lean":
        lm.recompute()
    return lm


def _adapter_on(
    parent: Path, model: PreTrainedModel, spec: TrainSettings, device: torch.device, *, lent: bool
) -> dict[str, AdapterPart]:
    """The parent's adapter as it goes on learning, or a fresh one beside it."""
    if spec.adapter.continues:
        return load_adapter(model, parent, device=device, spec=spec.adapter, lent=lent)
    assert isinstance(spec.adapter, LoraSpec)  # see on_parent.py
    return dict(add_beside(model, parent, spec.adapter, seed=spec.seed, device=device, lent=lent))
