"""The folder that PEFT keeps an adapter in: adapter_config.json and adapter_model.safetensors.

Settings under which PEFT computes something else than the adapters here are refused, never passed over."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from finewright.errors import ModelError
from finewright.lm.origin import ModelOrigin
from finewright.lm.tensors import save_tensors
from finewright.schema.adapter import AdapterSpec, IA3Spec, LoraSpec, PrefixSpec, PromptSpec

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
# What a LoRA config may not set: other sums than alpha/r * B A on whole named linears.
_NOT_PLAIN = (
    "use_qalora",
    "lora_bias",
    "alpha_pattern",
    "rank_pattern",
    "layers_to_transform",
    "target_parameters",
    "trainable_token_indices",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "use_bdlora",
    "exclude_modules",
)
# A reward model's head, which PEFT keeps beside its adapter; score_head.py reads it.
_SCORE = "score"
# First weights that leave the base as it is; PEFT's others, such as pissa, change it again at each load.
_PLAIN_STARTS = (True, False, "gaussian", "orthogonal", "eva")
_NEEDED = {
    "LORA": ("r", "lora_alpha", "target_modules"),
    "IA3": ("target_modules", "feedforward_modules"),
    "PREFIX_TUNING": ("num_virtual_tokens",),
    "PROMPT_TUNING": ("num_virtual_tokens",),
}


def write(
    folder: Path, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, origin: ModelOrigin
) -> None:
    """Both files, as PEFT 0.21 reads them. Raises OSError."""
    save_tensors(folder / WEIGHTS_FILE, tensors)
    common = {
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": origin.name,
        "revision": origin.revision,
        "inference_mode": True,
    }
    text = json.dumps({**common, **settings}, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The adapter's weights under PEFT's names. Raises ModelError."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise ModelError(f"{folder}: {WEIGHTS_FILE} is missing")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable safetensors file: {error}") from None
    return {n: t for n, t in tensors.items() if not n.endswith(f".{_SCORE}.weight")}


def read_config(path: Path) -> dict[str, Any]:
    """adapter_config.json as it is. Raises ModelError."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not a readable adapter config: {error}") from None
    if not isinstance(config, dict) or "peft_type" not in config:
        raise ModelError(f"{path}: this is no PEFT config: it needs peft_type")
    return config


def read_adapter_spec(folder: Path) -> AdapterSpec:
    """The settings of a PEFT adapter folder. Raises ModelError for kinds we do not run."""
    path = folder / CONFIG_FILE
    config = read_config(path)
    kind = str(config["peft_type"])
    if kind not in _NEEDED:
        raise ModelError(
            f"{path}: {kind} adapters cannot be loaded",
            hint="LoRA, rsLoRA, DoRA, IA3, prefix tuning and prompt tuning can",
        )
    if missing := [key for key in _NEEDED[kind] if key not in config]:
        raise ModelError(f"{path}: this is no PEFT {kind} config: it needs {', '.join(missing)}")
    if odd := list(_odd(kind, config)):
        raise ModelError(f"{path}: adapters with {odd[0]} cannot be loaded")
    try:
        return _spec(kind, config)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{path}: {first['loc'][0]}: {first['msg']}") from None


def _odd_lora(config: Mapping[str, Any]) -> Iterator[str]:
    if config.get("bias", "none") != "none":
        yield "bias"
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        yield f"init_lora_weights {config['init_lora_weights']}"


def _odd(kind: str, config: Mapping[str, Any]) -> Iterator[str]:
    """What the config asks for and is not done here."""
    yield from (key for key in _NOT_PLAIN if config.get(key))
    if config.get("modules_to_save") not in (None, [], [_SCORE]):
        yield "modules_to_save"
    if kind == "LORA":
        yield from _odd_lora(config)
    if kind in {"LORA", "IA3"}:  # fan_in_fan_out follows from the layers, as in PEFT
        yield from (key for key in _NEEDED[kind] if _is_pattern(config[key]))
    elif (config.get("num_transformer_submodules") or 1) != 1:
        yield "num_transformer_submodules other than 1"


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and value != "all-linear"


def _spec(kind: str, config: Mapping[str, Any]) -> AdapterSpec:
    match kind:
        case "LORA":
            return LoraSpec(
                r=config["r"],
                alpha=config["lora_alpha"],
                dropout=config.get("lora_dropout", 0.0),
                target_modules=_names(config["target_modules"]),
                use_dora=config.get("use_dora", False),
                use_rslora=config.get("use_rslora", False),
            )
        case "IA3":
            return IA3Spec(
                target_modules=_names(config["target_modules"]),
                feedforward_modules=_names(config["feedforward_modules"]),
            )
        case "PREFIX_TUNING":  # a projection is stored as what it gave
            return PrefixSpec(num_virtual_tokens=config["num_virtual_tokens"])
        case _:
            return PromptSpec(num_virtual_tokens=config["num_virtual_tokens"])


def _names(value: Any) -> Any:  # Any: not validated yet
    return tuple(value) if isinstance(value, list) else value
