"""Out of memory, answered with what would have fitted."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from finewright.errors import StageError
from finewright.schema.train import TrainSettings

# What torch says when the allocator of the CPU gets nothing.
_ON_CPU = ("not enough memory", "can't allocate memory", "DefaultCPUAllocator")


@contextmanager
def memory_advice(spec: TrainSettings) -> Iterator[None]:
    """Turn a failed allocation into a StageError that names up to three settings to change."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        is_full = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not is_full and not any(words in str(error) for words in _ON_CPU):
            raise
        first_line = (str(error).strip() or "no memory is left").splitlines()[0]
        raise StageError(
            f"training does not fit into memory: {first_line}",
            hint="set " + ", or ".join(smaller(spec)),
        ) from None


def smaller(spec: TrainSettings) -> list[str]:
    """The settings that would take less memory, the cheapest in speed first; three at most."""
    found = []
    tokens = spec.micro_batch_tokens
    if tokens is None or tokens > spec.max_length // 2:
        found.append(f"train.micro_batch_tokens to {max(128, (tokens or 2048) // 4)}")
    if spec.memory == "fast":
        found.append("train.memory to lean")
    if spec.adapter.type == "none":
        found.append("train.adapter.type to lora")
    elif spec.adapter.type in ("lora", "ia3") and spec.adapter.quantization == "none":
        found.append("train.adapter.quantization to nf4")
    found.append(f"train.max_length to {max(128, spec.max_length // 2)}")
    return found[:3]
