"""What an unknown key was meant to be: peers' spellings, and the legal keys at any place."""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from finewright.feature import sections
from finewright.plugins import not_installed
from finewright.schema.nodes import Loc
from finewright.schema.run import RunSpec

# Axolotl, LLaMA-Factory, TRL, torchtune, LitGPT, Unsloth, ms-swift, Together and OpenAI call it so.
PEERS = {
    "name": ("run_name", "suffix"),
    "base_models": (
        "base_model",
        "model_name_or_path",
        "model",
        "models",
        "model_name",
        "model_id",
        "checkpoint_dir",
    ),
    "data.sources": ("datasets", "dataset", "dataset_name", "training_file", "train_file"),
    "data.eval_fraction": (
        "val_set_size",
        "val_size",
        "val_split_fraction",
        "split_dataset_ratio",
        "eval_split",
    ),
    "train.method": ("rl", "stage", "rlhf_type", "training_method"),
    "train.adapter.type": ("finetuning_type", "tuner_type", "training_type", "use_peft", "peft"),
    "train.adapter.r": ("lora_r", "lora_rank", "rank"),
    "train.adapter.alpha": ("lora_alpha",),
    "train.adapter.dropout": ("lora_dropout",),
    "train.adapter.target_modules": (
        "lora_target_modules",
        "lora_target",
        "lora_target_linear",
        "lora_trainable_modules",
        "target",
        "targets",
        "modules",
    ),
    "train.learning_rate": ("lr",),
    "train.epochs": ("num_epochs", "num_train_epochs", "n_epochs"),
    "train.batch_size": ("per_device_train_batch_size", "micro_batch_size"),
    "train.gradient_accumulation": ("gradient_accumulation_steps", "grad_accum"),
    "train.max_length": ("sequence_len", "cutoff_len", "max_seq_length", "max_seq_len"),
    "train.warmup_ratio": (
        "warmup_steps",
        "num_warmup_steps",
        "lr_warmup_steps",
        "lr_warmup_fraction",
    ),
    "train.lr_scheduler": ("lr_scheduler_type", "scheduler"),
    "train.max_grad_norm": ("clip_grad_norm", "max_norm", "gradient_clipping", "grad_clip"),
    "train.seed": ("random_seed",),
    "train.dtype": ("precision", "bf16", "fp16", "pure_bf16", "torch_dtype"),
    "train.save_steps": ("save_interval", "save_every"),
    "train.threads": ("num_threads", "n_threads"),
    "evaluate.data": ("test_datasets", "eval_dataset", "val_dataset", "validation_file"),
    "evaluate.max_new_tokens": ("max_completion_length", "max_tokens"),
} | {
    f"{feature}.{key}": peers
    for feature, section in sections().items()
    for key, peers in section.aliases.items()
}
_OURS = {peer: ours for ours, peers in PEERS.items() for peer in peers}
_CLOSE = 0.7
_TAGS = ("method", "type")


def did_you_mean(loc: Loc) -> str:
    """`; did you mean 'x'?` for the unknown key at `loc`, or nothing when no guess is good.

    A key beside it is given by its name, one elsewhere by its dotted path."""
    own = ".".join(map(str, loc))
    if install := not_installed("feature").get(own):
        return f"; it is of a package that is not installed: {install}"
    parent = own.rpartition(".")[0]
    if owners := _owners(loc):
        return f" here; it belongs to {', '.join(owners)}"
    found = [_show_key(dotted, parent) for dotted in _suggest_keys(loc, parent) if dotted != own]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def close_choice(word: str, choices: Sequence[str]) -> str:
    """`; did you mean 'x'?` when a choice is spelled nearly like `word`, else nothing."""
    close = _close(word, choices)
    return f"; did you mean {close[0]!r}?" if close else ""


def kinds_at(loc: Loc) -> tuple[object, ...]:
    """The types that the spec allows at `loc`, unions laid flat; empty where it allows nothing."""
    kinds: tuple[object, ...] = (RunSpec,)
    for part in loc:
        kinds = tuple(kind for above in kinds for kind in _below(above, part))
    return kinds


@cache
def spec_keys() -> tuple[str, ...]:
    """Every dotted key a spec can have; a list's items are `0`, those of free names `NAME`."""
    return tuple(_walk(()))


def keys_at(loc: Loc) -> list[str]:
    """The keys that the spec allows at `loc`, those of every arm of a union."""
    models = (kind for kind in kinds_at(loc) if _is_model(kind))
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _suggest_keys(loc: Loc, parent: str) -> list[str]:
    word = _snake(str(loc[-1]))
    if word in _OURS:
        return [_OURS[word]]
    beside = _close(word, [key for key in keys_at(loc[:-1]) if key != loc[-1]])
    if beside:
        return [f"{parent}.{beside[0]}" if parent else beside[0]]
    elsewhere = [dotted for dotted in spec_keys() if dotted.rpartition(".")[2] == word]
    return elsewhere or [_OURS[peer] for peer in _close(word, [*_OURS])]


def _owners(loc: Loc) -> list[str]:
    """The arms of a union at the parent's place that have this key: methods, or kinds of adapters."""
    found = []
    for model in kinds_at(loc[:-1]):
        if _is_model(model) and loc[-1] in model.model_fields:
            tag = next((name for name in _TAGS if name in model.model_fields), "")
            found += [str(model.model_fields[tag].default)] if tag else []
    return list(dict.fromkeys(found))


def _show_key(dotted: str, parent: str) -> str:
    above, _, last = dotted.rpartition(".")
    if above == parent:
        return repr(last)
    return repr(dotted) if above else f"{last!r} at the top level"


def _close(word: str, choices: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(word, choices, n=1, cutoff=_CLOSE)


def _snake(word: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).replace("-", "_").lower()


def _walk(loc: Loc) -> Iterator[str]:
    for key in keys_at(loc):
        yield ".".join(map(str, (*loc, key)))
        yield from _walk((*loc, key))
    if any(get_origin(kind) is tuple for kind in kinds_at(loc)):
        yield from _walk((*loc, 0))
    if any(get_origin(kind) is dict for kind in kinds_at(loc)):
        yield from _walk((*loc, "NAME"))


def _below(kind: object, part: str | int) -> Iterator[object]:
    origin, arguments = get_origin(kind), get_args(kind)
    if _is_model(kind):
        if part in kind.model_fields:
            yield from _flat(kind.model_fields[str(part)].annotation)
    elif origin is tuple and isinstance(part, int):
        yield from _flat(arguments[0])
    elif origin is dict:
        yield from _flat(arguments[1])


def _flat(annotation: object) -> Iterator[object]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _flat(arguments[0])
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _flat(argument)
    else:
        yield annotation


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
