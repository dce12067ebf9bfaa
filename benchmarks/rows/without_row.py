"""finewright's engine with one of its tricks taken away; the job's setting `without` names it."""

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

settings = json.loads(sys.argv[2])
without = settings.pop("without")
sys.argv[2] = json.dumps(settings)

import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from finewright.lm import load, logits, model  # noqa: E402
from finewright.lm.adapters.lora import LoraLinear  # noqa: E402
from finewright.lm.batch import PackedBatch  # noqa: E402
from finewright.lm.fast import mlp, native, norm, rope  # noqa: E402


def no(*_: object) -> bool:
    return False


def padded(lm: model.LM, batch: PackedBatch) -> torch.Tensor:
    """Sequences side by side, padded to the longest, as transformers would take them."""
    lengths = [segment.length for segment in batch.segments]
    parts = [part[0] for part in torch.split(batch.input_ids, lengths, 1)]
    ids = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
    mask = torch.arange(ids.shape[1])[None] < torch.tensor(lengths)[:, None]
    output = lm.model.base_model(input_ids=ids, attention_mask=mask.long(), use_cache=False)
    states: torch.Tensor = output.last_hidden_state[mask]
    return states


def delta_after(self: LoraLinear, x: torch.Tensor) -> torch.Tensor:
    """PEFT's formula by plain autograd: the delta is added to the rounded output."""
    width = self.base.in_features
    weight, bias, lora_a, lora_b, scale = self.node_inputs()
    assert isinstance(weight, torch.Tensor)
    y = F.linear(x, weight[:, :width], bias)
    low = F.linear(x, lora_a.to(x.dtype))
    return y + F.linear(low, lora_b.to(x.dtype)) * scale


def put(place: object, name: str, other: Any) -> None:
    """Another in its place, which must be there: what is merely added takes nothing away."""
    assert hasattr(place, name), f"{place} has no {name}"
    setattr(place, name, other)


def plain_linears() -> None:
    put(mlp, "is_gated", no)
    put(LoraLinear, "forward", delta_after)


def without_thin() -> None:
    """Neither alone nor within the wide ones."""
    put(native, "takes_wide", no)
    put(native, "takes_thin", no)


TAKEN: dict[str, Callable[[], None]] = {
    "packing": partial(put, model.LM, "hidden", padded),
    "attention kernel": partial(put, native, "takes_heads", no),
    "wide products": partial(put, native, "takes_wide", no),
    "thin products": without_thin,
    "all kernels": partial(put, native, "_disabled", True),
    "whole blocks of rows": partial(put, model, "filled_up", lambda *row: row),
    "linear and MLP nodes": plain_linears,
    "MLP node": partial(put, mlp, "is_gated", no),
    "norm node": partial(put, norm, "is_norm", no),
    "rope node": partial(put, rope, "is_rotary", no),
    "head": partial(put, logits.Logits, "head", lambda *_: None),
    "heap": partial(put, load, "keep_freed_memory", lambda: None),
}
TAKEN[without]()
import finewright_row  # noqa: E402, F401 - runs the job
