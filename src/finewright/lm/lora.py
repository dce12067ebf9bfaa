"""The old place of what stands in `finewright.lm.adapters`."""

from collections.abc import Iterable
from pathlib import Path

from finewright.lm.adapters import files
from finewright.lm.adapters.files import CONFIG_FILE, WEIGHTS_FILE, read_adapter_spec
from finewright.lm.adapters.kinds import (
    adapter_tensors,
    load_adapter,
    lora_settings,
    set_adapter_tensors,
    stored_tensors,
)
from finewright.lm.adapters.linears import linear_paths, target_paths
from finewright.lm.adapters.lora import DoraLinear, LoraLinear, add_lora
from finewright.lm.adapters.part import Parts
from finewright.schema.adapter import LoraSpec

__all__ = [
    "CONFIG_FILE",
    "WEIGHTS_FILE",
    "DoraLinear",
    "LoraLinear",
    "adapter_tensors",
    "add_lora",
    "linear_paths",
    "load_adapter",
    "read_adapter_spec",
    "save_adapter",
    "set_adapter_tensors",
    "target_paths",
]


def save_adapter(
    folder: Path, adapters: Parts, spec: LoraSpec, *, base_model: str, linears: Iterable[str]
) -> None:
    """Of a LoRA alone; `finewright.lm.adapters.kinds.save_adapter` takes every kind."""
    settings = lora_settings(list(adapters), list(linears), spec)
    files.write(folder, stored_tensors(adapters), settings, base_model=base_model)
