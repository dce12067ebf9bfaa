"""LitGPT's LoRA weights in PEFT's form: it is copied into a process of LitGPT's environment, as its rows are.

python -m finewright_adapter CONFIG OUT"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_LINEAR = {
    "attn.proj": "self_attn.o_proj",
    "mlp.fc_1": "mlp.gate_proj",
    "mlp.fc_2": "mlp.up_proj",
    "mlp.proj": "mlp.down_proj",
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
    from litgpt.lora import Config
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
