"""The settings with which vLLM serves an exported folder: `vllm serve --config vllm.yaml`."""

from collections.abc import Mapping
from typing import Any

import yaml

from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.schema.common import without
from finewright.schema.run import DAY
from finewright.train.holders import stored_rank

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as max-lora-rank (config/lora.py)."""


def settings(
    name: str, base: str, revision: str, spec: AdapterSpec, switches: Mapping[str, Any]
) -> str:
    """YAML of vLLM's own options, to be read in the export's folder: all paths begin there.

    `base` is what the adapter stands on, a hub id or a folder; empty where the folder's own weights are
    served."""
    found: dict[str, object] = {"model": "./", "served-model-name": [name]}
    if base and isinstance(spec, LoraSpec):
        rank = stored_rank(spec)
        found = {
            "model": base,
            "served-model-name": ["base"],
            "enable-lora": True,
            "max-lora-rank": next((r for r in _RANKS if r >= rank), rank),
            "lora-modules": [f"{name}=./"],
        }
        if revision:
            found["revision"] = revision
    found |= {
        "tokenizer": "./",
        "chat-template": "./chat_template.jinja",
        "generation-config": "./",
    }
    if given := without(switches, (DAY,)):  # vLLM tells the day itself
        found["default-chat-template-kwargs"] = given
    return yaml.safe_dump(found, sort_keys=False)
