"""Tensors as safetensors, where a full or read-only disk is an OSError like any other, and their digest."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """One safetensors file, in the tensors' own dtypes. Raises OSError."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.write_bytes(save(on_cpu, metadata={"format": "pt"}))


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names and bytes, in the order of the names."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        total.update(name.encode() + b"\0")
        total.update(flat.view(torch.uint8).numpy().data)
    return total.hexdigest()
