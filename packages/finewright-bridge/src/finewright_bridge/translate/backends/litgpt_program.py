"""What runs within LitGPT's own environment: rows that are tokens, and its LoRA weights in PEFT's form.

    python -m finewright_litgpt CONFIG OUT

It is copied there under that name and imports nothing of finewright, which that environment need not have."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from litgpt.data import DataModule, get_sft_collate_fn
from litgpt.lora import Config
from litgpt.prompts import Default, PromptStyle
from torch import Tensor
from torch.utils.data import DataLoader

_LINEAR = {
    "attn.proj": "self_attn.o_proj",
    "mlp.fc_1": "mlp.gate_proj",
    "mlp.fc_2": "mlp.up_proj",
    "mlp.proj": "mlp.down_proj",
}


@dataclass
class Tokens(DataModule):  # type: ignore[misc] # LitGPT is not installed where this is checked
    """Rows of `input_ids` and `labels` in a JSONL file, in its order; LitGPT looks at the first one too."""

    path: Path
    prompt_style: PromptStyle = field(default_factory=Default, init=False, repr=False)
    rows: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False)
    batch_size: int = field(default=1, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__init__()

    def connect(
        self, tokenizer: Any = None, batch_size: int = 1, max_seq_length: Any = None
    ) -> None:
        """Takes the batch size; rows are tokens, and as long as they are."""
        self.batch_size = batch_size

    def setup(self, stage: str = "") -> None:
        """Read the rows."""
        with Path(self.path).open(encoding="utf-8") as file:
            self.rows = [_tensors(json.loads(line)) for line in file]

    def train_dataloader(self) -> Any:
        """All rows, in order."""
        return self._loader(self.rows)

    def val_dataloader(self) -> Any:
        """The first row: LitGPT checks its settings on some."""
        return self._loader(self.rows[:1])

    def _loader(self, rows: list[dict[str, Any]]) -> Any:
        collate = get_sft_collate_fn(max_seq_length=-1, ignore_index=-100)
        return DataLoader(rows, batch_size=self.batch_size, shuffle=False, collate_fn=collate)  # type: ignore[arg-type]


def _tensors(row: dict[str, list[int]]) -> dict[str, Any]:
    count = len(row["input_ids"])
    counts = {"raw": count, "raw_plus_prompt_template": count}
    return {
        "input_ids": torch.tensor(row["input_ids"]),
        "labels": torch.tensor(row["labels"]),
        "token_counts": counts,
    }


def peft_tensors(weights: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """LitGPT's LoRA weights by PEFT's names.

    LitGPT adapts query, key and value in one matrix: A is theirs one below another, (parts * r, in), and B
    their outputs one below another, (out, r)."""
    found = {}
    query, key = config.head_size * config.n_head, config.head_size * config.n_query_groups
    switches = {"q_proj": config.lora_query, "k_proj": config.lora_key, "v_proj": config.lora_value}
    sizes = {"q_proj": query, "k_proj": key, "v_proj": key}
    parts = [name for name, is_on in switches.items() if is_on]
    for name, tensor in weights.items():
        _, _, layer, *path, kind = name.split(".")
        place = f"base_model.model.model.layers.{layer}"
        where = ".".join(path)
        if where != "attn.qkv":
            found[f"{place}.{_LINEAR[where]}.{kind}.weight"] = tensor.contiguous()
            continue
        each = [len(tensor) // len(parts)] * len(parts)
        split = each if kind == "lora_A" else [sizes[part] for part in parts]
        for part, piece in zip(parts, torch.split(tensor, split), strict=True):
            found[f"{place}.self_attn.{part}.{kind}.weight"] = piece.contiguous()
    return found


def main() -> None:
    """Write adapter_model.safetensors."""
    import yaml
    from safetensors.torch import save_file

    config_path, out = map(Path, sys.argv[1:])
    given = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    chosen = {key: value for key, value in given.items() if key.startswith("lora_")}
    config = Config.from_file(Path(given["checkpoint_dir"]) / "model_config.yaml", **chosen)
    final = Path(given["out_dir"]) / "final"
    # LitGPT's own form; `weights_only` reads tensors and nothing that runs.
    stored = torch.load(final / "lit_model.pth.lora", weights_only=True)["model"]  # noqa: TID251
    out.mkdir()
    save_file(peft_tensors(stored, config), out / "adapter_model.safetensors")


if __name__ == "__main__":
    main()
