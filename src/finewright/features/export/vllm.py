"""The settings with which vLLM serves an exported folder: `vllm serve --config vllm.yaml`."""

from pathlib import Path

import yaml

from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.schema.train import Candidate
from finewright.train.holders import stored_rank

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as max-lora-rank (config/lora.py)."""


def settings(name: str, candidate: Candidate, adapter: AdapterSpec, folder: Path) -> str:
    """YAML of vLLM's own options; paths are relative to where vLLM is started, beside the folder."""
    lora = isinstance(adapter, LoraSpec) and not adapter.use_dora
    found: dict[str, object] = {
        "model": candidate.base_origin or candidate.base_model if lora else folder.name,
        "served-model-name": [name],
    }
    if lora and isinstance(adapter, LoraSpec):
        rank = stored_rank(adapter)
        found |= {
            "enable-lora": True,
            "max-lora-rank": next((r for r in _RANKS if r >= rank), rank),
            "lora-modules": [f"{name}={folder.name}"],
            "served-model-name": ["base"],
        }
        if candidate.base_revision:
            found["revision"] = candidate.base_revision
    if (folder / "chat_template.jinja").is_file():
        found["chat-template"] = f"{folder.name}/chat_template.jinja"
    found["generation-config"] = folder.name
    return yaml.safe_dump(found, sort_keys=False)
