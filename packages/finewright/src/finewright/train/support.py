"""Which settings go together, said before any model is loaded. Needs no torch.

An error is a cell of method x adapter x family x quantization that cannot be right; a warning one that works
in another way than one may think."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from finewright.errors import ModelError
from finewright.estimate.context import beyond, context_of
from finewright.estimate.families import (
    LEAVE_OUT,
    families,
    reasons_by_layers,
    shape_of,
    why_no_adapter,
)
from finewright.estimate.fit import misfits
from finewright.estimate.shape import ModelShape
from finewright.schema.adapter import LoraSpec
from finewright.schema.common import Problem
from finewright.schema.launch import LaunchSpec
from finewright.schema.train import OWN_BACKEND, TrainSettings
from finewright.train.backends import backend_problems
from finewright.train.holders import note_holders

Config = Mapping[str, Any]

# Keys of which `train.privacy` covers only this.
_COVERED = {
    "method": "take sft or dpo",
    "adapter.type": "take lora",
    "adapter.use_dora": "leave it out",
    "adapter.init": "take kaiming",
    "adapter.dropout": "leave it out",
    "batch_tokens": "set batch_size",
    "minutes": "set epochs or max_steps",
    "max_grad_norm": "set train.privacy.max_grad_norm",
}

# What to take where a base in shards cannot be trained.
_UNDER_SHARDS = {
    "method": "take one that runs one pass for each batch, such as sft or dpo",
    "adapter.type": "take lora or none",
    "adapter.quantization": "leave it out",
    "adapter.use_dora": "leave it out",
}

# Where families write how many experts a layer has; transformers keeps their weights in one tensor.
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
# And that layers have dense MLPs, in the place of experts or beside them.
_DENSE = (
    "first_k_dense_replace",
    "mlp_only_layers",
    "n_shared_experts",
    "num_shared_experts",
    "shared_expert_intermediate_size",
)
# How settings of Mamba layers begin, and what families call layers of attention.
_MAMBA = "mamba_"
_ATTENTION = {"full_attention", "sliding_attention", "attention"}
# Families that learn an embedding for each position, and can read nothing beyond the last.
_LEARNED_POSITIONS = ("biogpt", "gpt2", "gpt_bigcode", "gpt_neo", "openai-gpt", "opt")
# The families of which PEFT 0.21 takes these names for parts of the experts' tensors.
_MISREAD = ("gate_proj", "up_proj", "down_proj")
_MISREAD_IN = (
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "dots1",
    "ernie4_5_moe",
    "exaone_moe",
    "glm4_moe",
    "glm4_moe_lite",
    "glm_moe_dsa",
    "hunyuan_v1_moe",
    "qwen3_moe",
    "qwen3_next",
)


def find_unsupported(spec: TrainSettings, config: Config | None) -> list[Problem]:
    """What does not work with these settings, for a model of this configuration (or any, when unknown)."""
    found = [problem for look in _ALWAYS for problem in look(spec)]
    if config is not None:
        text = {**config, **(config.get("text_config") or {})}
        found += [problem for look in _BY_FAMILY for problem in look(spec, text)]
    return found


def beyond_context(length: int, config: Config | None, *, max_new_tokens: int = 0) -> list[Problem]:
    """What to say where the longest row has so many tokens, and what is sampled after it up to so many more;
    `plan` and `train` count, and say the same. An error where the model has no such positions at all."""
    context = None if config is None else context_of(config)
    if config is None or context is None or length + max_new_tokens <= context:
        return []
    problem = beyond(length + max_new_tokens, context)
    if max_new_tokens:
        hint = f"lower it or train.max_length: a prompt and its answer are at most {context} tokens"
        problem = problem.model_copy(update={"key": "train.max_new_tokens", "hint": hint})
    if config.get("model_type") in _LEARNED_POSITIONS:
        what = f"{length + max_new_tokens:,} tokens, and the model has an embedding for each of {context:,}"
        problem = problem.model_copy(
            update={"level": "error", "message": f"{what} positions, no more"}
        )
    return [problem]


def may_be_beyond_context(max_length: int, config: Config | None) -> list[Problem]:
    """What to say before rows are counted: the settings let them be longer than the model was made for."""
    return [
        problem.model_copy(
            update={
                "level": "info",
                "message": f"lets rows have more tokens than the model was made for: {problem.message}",
                "hint": f"`finewright plan` tells how long they are; {problem.hint}",
            }
        )
        for problem in beyond_context(max_length, config)
    ]


def _name_decider(train: TrainSettings) -> str:
    head = getattr(train, "head", "")
    return f"train.head {head}" if head else f"train.method {train.method}"


def find_unshared(train: TrainSettings, launch: LaunchSpec) -> Iterator[Problem]:
    """What does not train in several processes, and what leaves some of them without work."""
    processes = launch.processes
    if launch.fsdp:
        yield from _find_unsharded(train, processes)
    if processes == 1:
        return
    alone = _name_decider(train) if train.decides else ""
    alone = alone or ("train.privacy" if train.privacy else "")
    if train.backend != OWN_BACKEND:
        alone = f"train.backend {train.backend}"
    if alone:
        message = f"{alone} works in one process"
        yield Problem(level="error", key="launch.processes", message=message, hint="set it to 1")
    rows = train.batch_size * train.gradient_accumulation
    if train.batch_tokens is None and rows < processes:
        yield Problem(
            level="warning",
            key="launch.processes",
            message=f"a step has {rows} rows for {processes} processes, so some have nothing to do",
            hint=f"set it to {rows}, or raise train.batch_size",
        )


def _find_unsharded(train: TrainSettings, processes: int) -> Iterator[Problem]:
    """What does not train over a base in shards."""
    adapter = train.adapter
    if processes == 1:
        message = "one process has all of the base model: nothing is sharded"
        hint = "raise launch.processes"
        yield Problem(level="warning", key="launch.fsdp", message=message, hint=hint)
        return
    lora = adapter if isinstance(adapter, LoraSpec) else None
    quantized = lora is not None and lora.quantization != "none"
    refused = {
        "method": "" if train.one_pass else f"is not for {train.method}",
        "adapter.type": "" if lora or adapter.type == "none" else f"is not for {adapter.type}",
        "adapter.quantization": "does not shard quantised weights" if quantized else "",
        "adapter.use_dora": "is not for DoRA" if lora and lora.use_dora else "",
    }
    for key, reason in refused.items():
        if reason:
            yield Problem(
                level="error",
                key=f"train.{key}",
                message=f"launch.fsdp {reason}",
                hint=f"{_UNDER_SHARDS[key]}, or set launch.fsdp to false",
            )


def _no_base_left(spec: TrainSettings) -> Iterator[Problem]:
    """With every weight learning nothing is left to sample against."""
    if spec.adapter.type == "none" and spec.base_key:
        key = f"train.{spec.base_key}"
        yield Problem(
            level="error",
            key=key,
            message="KL to the base needs the base, and with train.adapter.type none it is trained over",
            hint=f"set {key} to 0, or train an adapter",
        )


def _not_private(spec: TrainSettings) -> Iterator[Problem]:
    """What `train.privacy` does not cover, and what goes round it."""
    if spec.privacy is None:
        return
    adapter = spec.adapter
    lora = adapter if adapter.type == "lora" else None
    refused = {
        "method": _why_not_by_rows(spec),
        "adapter.type": ""
        if lora
        else f"gradients of rows are those of LoRA, not of {adapter.type}",
        "adapter.use_dora": "DoRA's norms mix rows" if lora and lora.use_dora else "",
        "adapter.init": "PiSSA's factors mix rows" if lora and lora.init == "pissa" else "",
        "adapter.dropout": "dropout is outside of the node that parts rows"
        if lora and lora.dropout
        else "",
        "batch_tokens": "a step draws units by chance, not by tokens" if spec.batch_tokens else "",
        "minutes": "noise is set for a number of steps, not for a time" if spec.minutes else "",
        "max_grad_norm": "gradients are clipped row by row" if spec.max_grad_norm != 1 else "",
    }
    for key, reason in refused.items():
        if reason:
            hint = f"with train.privacy {_COVERED[key]}"
            yield Problem(level="error", key=f"train.{key}", message=reason, hint=hint)
    if spec.early_stopping or spec.keep != "last":
        yield Problem(
            level="warning",
            key="train.early_stopping" if spec.early_stopping else "train.keep",
            message="the step is chosen by held-out rows, and train.privacy bounds what training rows give"
            " away, not held-out ones",
            hint="leave it out where held-out rows are of the same people",
        )


def _why_not_by_rows(spec: TrainSettings) -> str:
    if spec.decides:
        return f"{_name_decider(spec)} keeps rows out to calibrate, which it does not protect"
    return "" if spec.by_rows else f"{spec.method} learns from more than one row at a time"


def _lone_answers(spec: TrainSettings) -> Iterator[Problem]:
    alone = spec.batch_size * spec.gradient_accumulation == 1
    if alone and spec.takes == "judged answers":
        yield Problem(
            level="warning",
            key="train.batch_size",
            message=f"{spec.method} compares an answer with those of other prompts in its step, and there"
            " are none",
            hint="set batch_size to 4 or more",
        )


def _keeps_what_nobody_sees(spec: TrainSettings) -> Iterator[Problem]:
    if spec.early_stopping and spec.keep == "last":
        yield Problem(
            level="info",
            key="train.keep",
            message="early_stopping keeps the best checkpoint too, and takes it as the result",
        )


def _prefix_without_heads(spec: TrainSettings, config: Config) -> Iterator[Problem]:
    reason = _why_no_prefix(config) if spec.adapter.type == "prefix" else ""
    if reason:
        yield Problem(
            level="error",
            key="train.adapter.type",
            message=f"prefixes are keys and values of every layer, and {config['model_type']} {reason}",
            hint="use lora or prompt",
        )


def _why_no_prefix(config: Config) -> str:
    """What the family's layers have instead; as lm/adapters/prefix.py, which sees the model, refuses it."""
    if config.get("kv_lora_rank"):
        return "keeps both as one latent (MLA)"
    if config.get("num_kv_shared_layers"):
        return "has layers that share theirs"
    kinds = config.get("layer_types") or ()
    if not kinds and any(name.startswith(_MAMBA) for name in config):
        return "has Mamba layers"
    others = set(kinds) - _ATTENTION
    return f"has layers of {min(others)}" if others else ""


def _experts_left_out(spec: TrainSettings, config: Config) -> Iterator[Problem]:
    experts = next((config[name] for name in _EXPERTS if config.get(name)), 0)
    if not experts or spec.adapter.type not in ("lora", "ia3"):
        return
    yield Problem(
        level="warning",
        key="train.adapter",
        message=f"the {experts} experts of a layer share tensors that take no adapter: attention and what"
        " else is linear learns, the experts do not",
        hint="this is the usual way to adapt such models; it is said so that nobody expects more",
    )
    if spec.adapter.quantization != "none":
        yield Problem(
            level="warning",
            key="train.adapter.quantization",
            message=f"only linear layers are quantised; the experts{_share_of_experts(config)} stay as they"
            " are, so memory falls little",
            hint="plan for the whole experts, or choose a dense model",
        )


def _share_of_experts(config: Config) -> str:
    """Of all weights, in words; empty for a family that no closed formula knows."""
    shape = _shape(config)
    if shape is None:
        return ""
    experts = [(kind.count, kind.experts) for kind in shape.layers if kind.experts]
    routed = sum(layers * one.count * one.each for layers, one in experts)
    return f", {routed / shape.parameters:.0%} of this model's weights,"


def _shape(config: Config) -> ModelShape | None:
    """None where no closed formula knows it; what is wrong with a config is said where it is read."""
    if config.get("model_type") not in families():
        return None
    try:
        return shape_of(config)
    except ModelError:
        return None


def _misfits(spec: TrainSettings, config: Config) -> Iterator[Problem]:
    """Of targets and rank, for families that a closed formula knows; `plan` asks the others themselves."""
    if shape := _shape(config):
        yield from misfits(spec.adapter, shape.find_targets("all-linear"))


def _without_adapter(spec: TrainSettings, config: Config) -> Iterator[Problem]:
    """Layers on which an adapter would not be heard: refused where they are named, else left out."""
    family, adapter = str(config.get("model_type")), spec.adapter
    if adapter.type not in ("lora", "ia3"):
        return
    if adapter.target_modules == "all-linear":
        for reason, names in reasons_by_layers(family):
            yield Problem(
                level="info",
                key="train.adapter.target_modules",
                message=f"all-linear leaves out {names}: {reason}",
                hint="all other linear layers learn",
            )
        return
    for name in adapter.target_modules or ():
        if reason := why_no_adapter(family, name):
            yield Problem(
                level="error",
                key="train.adapter.target_modules",
                message=f"{name}: {reason}",
                hint=LEAVE_OUT,
            )


def _misread_by_peft(spec: TrainSettings, config: Config) -> Iterator[Problem]:
    adapter, misread = spec.adapter, config.get("model_type") in _MISREAD_IN
    if adapter.type != "lora" or not misread or not any(map(config.get, _DENSE)):
        return
    targets = _MISREAD if adapter.target_modules == "all-linear" else adapter.target_modules
    if any(name.rpartition(".")[2] in _MISREAD for name in targets):
        yield Problem(
            level="warning",
            key="train.adapter.target_modules",
            message=f"PEFT 0.21 does not read this adapter whole: it takes"
            f" {', '.join(_MISREAD)} of dense layers for parts of the experts",
            hint="finewright reads it; for PEFT, name attention's linears in target_modules",
        )


_ALWAYS: tuple[Callable[[TrainSettings], Iterator[Problem]], ...] = (
    _no_base_left,
    _not_private,
    _lone_answers,
    lambda spec: spec.without_effect(),
    lambda spec: note_holders(spec.adapter),
    _keeps_what_nobody_sees,
    backend_problems,
)
_BY_FAMILY: tuple[Callable[[TrainSettings, Config], Iterator[Problem]], ...] = (
    _prefix_without_heads,
    _experts_left_out,
    _misread_by_peft,
    _misfits,
    _without_adapter,
)
