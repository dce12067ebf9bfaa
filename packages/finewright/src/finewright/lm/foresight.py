"""Which of the engine's tricks will step aside for a model, said before its weights are loaded.

Whether a trick fits is a matter of a family's code and of widths, not of depth or of what was learned. So
a random model of the same configuration is asked, with as few layers, words and experts as show every kind
of layer."""

import copy
from typing import Literal

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from finewright.errors import ModelError
from finewright.lm import runtime
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.adapters.linears import refuse_misfit
from finewright.lm.load_chat import UNREADABLE
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import AdapterSpec, FullSpec, LoraSpec

_VOCABULARY = 256
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


def slow_paths_ahead(
    base: LocalBase, adapter: AdapterSpec, dtype: Literal["bf16", "fp32"]
) -> tuple[str, ...]:
    """What `LM.slow_paths` will say of the model."""
    try:
        return _make_adapted(base, adapter, dtype).slow_paths()
    except (*UNREADABLE, ModelError) as error:
        return (f"not known before the weights are loaded, because {_first_line(error)}",)


def refusal_ahead(base: LocalBase, adapter: AdapterSpec) -> ModelError | None:
    """Why training would refuse this adapter for this family; None when it fits, or nobody knows yet."""
    try:
        _make_adapted(base, FullSpec(), "fp32")
    except (*UNREADABLE, ModelError):
        return None  # the model itself is not understood, whatever the adapter
    try:
        _make_adapted(base, adapter, "fp32")
    except ModelError as error:
        return error
    return None


def _make_adapted(base: LocalBase, adapter: AdapterSpec, dtype: Literal["bf16", "fp32"]) -> LM:
    config = AutoConfig.from_pretrained(base.folder, local_files_only=True, trust_remote_code=False)
    model = _random(_shrunken(config), dtype)
    if isinstance(adapter, LoraSpec) and adapter.init == "pissa":
        adapter = adapter.model_copy(
            update={"init": "kaiming"}
        )  # directions take long, and tell nothing
    refuse_misfit(model, adapter)
    return LM(model, add_adapter(model, adapter, seed=0))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _random(config: PreTrainedConfig, dtype: Literal["bf16", "fp32"]) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, dtype=runtime.dtype_of(dtype), trust_remote_code=False
        )
    return model.to(runtime.device()).eval()


def _shrunken(config: PreTrainedConfig) -> PreTrainedConfig:
    small = copy.deepcopy(config)
    text = small.get_text_config()
    if getattr(text, "first_k_dense_replace", None):
        text.first_k_dense_replace = 1
    text.num_hidden_layers = _layers_that_show_all(text)
    kinds = getattr(text, "layer_types", None)
    if kinds and not _is_derived(text, "layer_types"):
        text.layer_types = kinds[: text.num_hidden_layers]
    text.vocab_size = min(text.vocab_size, _VOCABULARY)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        setattr(text, name, None)
    for name in _EXPERTS:
        if count := getattr(text, name, None):
            setattr(text, name, min(count, _few_experts(text)))
    return small


def _is_derived(config: PreTrainedConfig, name: str) -> bool:
    """Whether it follows from other settings, and cannot be set."""
    held = getattr(type(config), config.attribute_map.get(name, name), None)
    return isinstance(held, property) and held.fset is None


def _layers_that_show_all(config: PreTrainedConfig) -> int:
    """The first layers up to one of each kind, and at least two."""
    most = int(config.num_hidden_layers)
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    return min(most, max(2, *(kinds.index(kind) + 1 for kind in kinds)))


def _few_experts(config: PreTrainedConfig) -> int:
    """As few as routing can do with: two in each group, and as many as a token meets."""
    groups = getattr(config, "n_group", None) or 1
    return max(2 * groups, getattr(config, "num_experts_per_tok", None) or 1)
