"""The settings with which vLLM serves an exported folder: `vllm serve --config vllm.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.train.holders import stored_rank

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as max-lora-rank (config/lora.py)."""


def settings(
    name: str,
    base: str,
    revision: str,
    adapter: AdapterSpec,
    out: Path,
    switches: Mapping[str, Any],
) -> str:
    """YAML of vLLM's own options. `base` is a hub id or a folder, `out` where the export will lie; its paths
    are whole, so that it does not matter where vLLM is started."""
    folder = str(out.resolve())
    found: dict[str, object] = {"model": folder, "served-model-name": [name]}
    if isinstance(adapter, LoraSpec) and not adapter.use_dora:
        rank = stored_rank(adapter)
        found = {
            "model": base,
            "served-model-name": ["base"],
            "enable-lora": True,
            "max-lora-rank": next((r for r in _RANKS if r >= rank), rank),
            "lora-modules": [f"{name}={folder}"],
        }
        if revision:
            found["revision"] = revision
    found |= {"tokenizer": folder, "chat-template": f"{folder}/chat_template.jinja"}
    found["generation-config"] = folder
    if switches:
        found["default-chat-template-kwargs"] = dict(switches)
    return yaml.safe_dump(found, sort_keys=False)
