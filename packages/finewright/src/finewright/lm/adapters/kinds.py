"""The one door to all kinds of adapters: put one on a model, read and write its tensors, keep it in a folder.

An adapter is a mapping from places in the model to parts: the paths of linears, or "" for what concerns the
model as a whole. Its tensors have PEFT's names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.adapters import files, whole
from finewright.lm.adapters.ia3 import add_ia3, targets_of
from finewright.lm.adapters.linears import OnLinear, Transposed, linear_paths, shortest_names
from finewright.lm.adapters.lora import LoraLinear, add_lora, spec_to_store
from finewright.lm.adapters.part import ROOT, AdapterPart, Parts
from finewright.lm.adapters.prefix import Prefix, add_prefix
from finewright.lm.adapters.prompt import add_prompt
from finewright.lm.origin import origin_of
from finewright.lm.sharded import own_part, part_like
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)

_PREFIX = "base_model.model."


def add_adapter(
    model: PreTrainedModel,
    spec: AdapterSpec,
    *,
    seed: int,
    device: torch.device | None = None,
    text_ids: Sequence[int] = (),
    lent: bool = False,
) -> dict[str, AdapterPart]:
    """Put a fresh adapter on the model, in place, which moves to `device`; place -> part. `lent`: its weights
    are to be sharded, under a LoRA or to learn themselves.

    `text_ids` are the tokens of a soft prompt's `init_text`. Raises ModelError when the spec does not fit
    the model."""
    match spec:
        case LoraSpec():
            return dict(add_lora(model, spec, seed=seed, device=device, lent=lent))
        case IA3Spec():
            return dict(add_ia3(model, spec, device=device))
        case PromptSpec():
            prompt = add_prompt(model, spec, seed=seed, device=device, text_ids=text_ids)
            return {ROOT: prompt}
        case PrefixSpec():
            return {ROOT: add_prefix(model, spec, seed=seed, device=device)}
        case FullSpec():
            return {ROOT: whole.train_all(model, device=None if lent else device)}


def adapter_tensors(parts: Parts) -> dict[str, Tensor]:
    """All that decides what the adapter computes: what a checkpoint keeps."""
    return _name_tensors({place: part.tensors() for place, part in parts.items()})


def tensors_to_store(parts: Parts) -> dict[str, Tensor]:
    """What a stored adapter has. Only PiSSA's differ from `adapter_tensors`."""
    return _name_tensors({place: part.tensors_to_store() for place, part in parts.items()})


def _name_tensors(tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {
        _name(place, name): tensor
        for place, part in tensors.items()
        for name, tensor in part.items()
    }


@torch.no_grad()
def set_adapter_tensors(parts: Parts, tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Copy tensors into the adapter. Raises ModelError, with nothing written, unless they fit exactly."""
    wanted = adapter_tensors(parts)
    if wanted.keys() != tensors.keys():
        odd = sorted(wanted.keys() ^ tensors.keys())[0]
        raise ModelError(f"{origin}: the adapter does not fit this base model: {odd}")
    for name, tensor in tensors.items():
        if wanted[name].shape != tensor.shape:
            shapes = f"{tuple(tensor.shape)} where {tuple(wanted[name].shape)} is needed"
            raise ModelError(f"{origin}: {name} has shape {shapes}")
    for name, tensor in tensors.items():
        own_part(wanted[name]).copy_(part_like(tensor, wanted[name]))


def save_adapter(
    folder: Path,
    model: PreTrainedModel,
    parts: Parts,
    spec: AdapterSpec,
    *,
    base: LocalBase,
    gathered: Mapping[str, Tensor] | None = None,
) -> None:
    """Write what `load_adapter` and PEFT 0.21 read; of FullSpec the whole model, whose weights are `gathered`
    where it has them in shards. Raises OSError.

    The base is named as others know it (see origin.py), never by its place on this machine."""
    if isinstance(spec, FullSpec):
        whole.save_whole(folder, model, base.folder, gathered)
        return
    settings = _settings(model, parts, spec)
    files.write(folder, tensors_to_store(parts), settings, origin=origin_of(base))


def load_adapter(
    model: PreTrainedModel,
    folder: Path,
    *,
    device: torch.device | None = None,
    spec: AdapterSpec | None = None,
    lent: bool = False,
) -> dict[str, AdapterPart]:
    """Put the adapter stored in a PEFT folder onto the model, in place, as `add_adapter` puts a fresh one;
    with the settings that a training goes on with, where they are given."""
    spec = spec or files.read_adapter_spec(folder)
    tensors = files.read_tensors(folder)
    parts = add_adapter(model, spec, seed=0, device=device, lent=lent)
    set_adapter_tensors(parts, tensors, origin=str(folder / files.WEIGHTS_FILE))
    return parts


def _name(place: str, name: str) -> str:
    return f"{_PREFIX}{place}.{name}" if place else name


def lora_settings(
    paths: Sequence[str], linears: Sequence[str], spec: LoraSpec, *, transposed: bool = False
) -> dict[str, Any]:
    """What adapter_config.json says of a LoRA on these of the model's linears; `transposed`: on `Conv1D`s."""
    stored = spec_to_store(spec)
    return {
        "peft_type": "LORA",
        "r": stored.r,
        "lora_alpha": stored.alpha,
        "lora_dropout": stored.dropout,
        "target_modules": shortest_names(paths, linears),
        "bias": "none",
        "fan_in_fan_out": transposed,
        "use_dora": stored.use_dora,
        "use_rslora": stored.use_rslora,
    }


def _ia3_settings(model: PreTrainedModel, spec: IA3Spec) -> dict[str, Any]:
    targets = targets_of(model, spec)
    names = shortest_names(targets.paths, linear_paths(model))
    leaves = {path.rpartition(".")[2] for path in targets.feedforward}
    return {
        "peft_type": "IA3",
        "target_modules": names,
        "feedforward_modules": sorted((leaves | targets.feedforward) & set(names)),
    }


def _on_transposed(parts: Parts) -> bool:
    """Whether they stand on `Conv1D`s. Of a mixed model PEFT finds out for itself, layer by layer."""
    return any(isinstance(p, OnLinear) and isinstance(p.base, Transposed) for p in parts.values())


def _settings(model: PreTrainedModel, parts: Parts, spec: AdapterSpec) -> dict[str, Any]:
    """What adapter_config.json says of the adapter."""
    match spec:
        case LoraSpec():
            turned, first = _on_transposed(parts), next(iter(parts.values()))
            assert isinstance(first, LoraLinear)
            stored = first.stored_spec
            return lora_settings(list(parts), linear_paths(model), stored, transposed=turned)
        case IA3Spec():
            return {**_ia3_settings(model, spec), "fan_in_fan_out": _on_transposed(parts)}
        case PrefixSpec():
            return {"peft_type": "PREFIX_TUNING", **_sizes(model, spec), **_prefix_sizes(parts)}
        case PromptSpec():
            return {"peft_type": "PROMPT_TUNING", **_sizes(model, spec)}
        case FullSpec():
            raise AssertionError("a whole model has no adapter config")


def _sizes(model: PreTrainedModel, spec: PrefixSpec | PromptSpec) -> dict[str, Any]:
    config = model.config.get_text_config()
    return {
        "num_virtual_tokens": spec.num_virtual_tokens,
        "num_transformer_submodules": 1,
        "num_layers": config.num_hidden_layers,
        "token_dim": config.hidden_size,
        "num_attention_heads": config.num_attention_heads,
    }


def _prefix_sizes(parts: Parts) -> dict[str, Any]:
    """PEFT reckons a prefix in the width of all keys of a layer."""
    prefix = parts[ROOT]
    assert isinstance(prefix, Prefix)
    heads = prefix.heads
    return {
        "token_dim": heads.kv_heads * heads.head_dim,
        "num_attention_heads": heads.kv_heads,
        "encoder_hidden_size": heads.kv_heads * heads.head_dim,
        "prefix_projection": False,
    }
