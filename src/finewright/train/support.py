"""Which settings go together, said before any model is loaded. Needs no torch.

An error is a cell of method x adapter x family x quantization that cannot be right; a warning one that works
in another way than one may think."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from finewright.schema.common import Problem
from finewright.schema.methods import AnyTrainSpec, GRPOSpec, KTOSpec, PPOSpec

Config = Mapping[str, Any]

# Where families write how many experts a layer has; transformers keeps their weights in one tensor.
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


def unsupported(spec: AnyTrainSpec, config: Config | None) -> list[Problem]:
    """What does not work with these settings, for a model of this configuration (or any, when unknown)."""
    found = [problem for look in _ALWAYS for problem in look(spec)]
    if config is not None:
        text = {**config, **(config.get("text_config") or {})}
        found += [problem for look in _BY_FAMILY for problem in look(spec, text)]
    return found


def _no_base_left(spec: AnyTrainSpec) -> Iterator[Problem]:
    """With every weight learning nothing is left to sample against."""
    if spec.adapter.type != "none":
        return
    if isinstance(spec, GRPOSpec) and spec.beta:
        key = "train.beta"
    elif isinstance(spec, PPOSpec) and (spec.kl_coef or spec.target_kl):
        key = "train.kl_coef"
    else:
        return
    yield Problem(
        level="error",
        key=key,
        message="KL to the base needs the base, and with train.adapter.type none it is trained over",
        hint=f"set {key} to 0, or train an adapter",
    )


def _pissa_of_packed(spec: AnyTrainSpec) -> Iterator[Problem]:
    adapter = spec.adapter
    if adapter.type == "lora" and adapter.init == "pissa" and adapter.quantization != "none":
        yield Problem(
            level="error",
            key="train.adapter.init",
            message="PiSSA takes its first values out of the weights, which quantization then rounds again",
            hint="set init to kaiming, or quantization to none",
        )


def _pissa_with_dora(spec: AnyTrainSpec) -> Iterator[Problem]:
    adapter = spec.adapter
    if adapter.type == "lora" and adapter.init == "pissa" and adapter.use_dora:
        yield Problem(
            level="error",
            key="train.adapter.use_dora",
            message="DoRA takes its magnitudes from the whole weights, which PiSSA has taken apart",
            hint="set init to kaiming, or use_dora to false",
        )


def _lone_answers(spec: AnyTrainSpec) -> Iterator[Problem]:
    if isinstance(spec, KTOSpec) and spec.batch_size * spec.gradient_accumulation == 1:
        yield Problem(
            level="warning",
            key="train.batch_size",
            message="kto compares an answer with those of other prompts in its step, and there are none",
            hint="set batch_size to 4 or more",
        )


def _keeps_what_nobody_sees(spec: AnyTrainSpec) -> Iterator[Problem]:
    if spec.early_stopping and spec.keep == "last":
        yield Problem(
            level="info",
            key="train.keep",
            message="early_stopping keeps the best checkpoint too, and takes it as the result",
        )


def _prefix_of_latents(spec: AnyTrainSpec, config: Config) -> Iterator[Problem]:
    if spec.adapter.type == "prefix" and config.get("kv_lora_rank"):
        yield Problem(
            level="error",
            key="train.adapter.type",
            message=f"{config['model_type']} keeps keys and values as one latent, and PEFT's prefixes are"
            " pairs of keys and values",
            hint="use lora or prompt",
        )


def _experts_left_out(spec: AnyTrainSpec, config: Config) -> Iterator[Problem]:
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
        share = _share_of_experts(config, experts)
        yield Problem(
            level="warning",
            key="train.adapter.quantization",
            message=f"only linear layers are quantised; the experts, {share:.0%} of this model's weights,"
            " stay as they are, so memory falls little",
            hint="plan for the whole experts, or choose a dense model",
        )


def _share_of_experts(config: Config, experts: int) -> float:
    """Of all weights: experts have three matrices of width x inner width, attention about four of width^2."""
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    inner = config.get("moe_intermediate_size") or config["intermediate_size"]
    routed = 3 * experts * width * inner * (layers - (config.get("first_k_dense_replace") or 0))
    heads = config.get("num_attention_heads") or 1
    kv_share = (config.get("num_key_value_heads") or heads) / heads
    rest = layers * 2 * width**2 * (1 + kv_share) + 2 * config["vocab_size"] * width
    return float(routed / (routed + rest))


_ALWAYS: tuple[Callable[[AnyTrainSpec], Iterator[Problem]], ...] = (
    _no_base_left,
    _pissa_of_packed,
    _pissa_with_dora,
    _lone_answers,
    _keeps_what_nobody_sees,
)
_BY_FAMILY: tuple[Callable[[AnyTrainSpec, Config], Iterator[Problem]], ...] = (
    _prefix_of_latents,
    _experts_left_out,
)
