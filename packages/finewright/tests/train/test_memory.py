"""Out of memory is one line with settings that would have fitted, and other errors stay what they are."""

import pytest
import torch

from finewright.errors import StageError
from finewright.schema.methods import SFTSpec
from finewright.train.memory import memory_advice, smaller

pytestmark = pytest.mark.torch


def told(spec: SFTSpec, error: Exception) -> StageError:
    with pytest.raises(StageError) as caught, memory_advice(spec):
        raise error
    return caught.value


def test_what_the_cpu_allocator_says_is_understood() -> None:
    """The real error of an allocation that no machine can serve."""
    with pytest.raises(StageError) as caught, memory_advice(SFTSpec()):
        torch.empty(1 << 60, dtype=torch.uint8)
    assert "training does not fit into memory" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint == (
        "set train.micro_batch_tokens to 512, or train.memory to lean,"
        " or train.adapter.quantization to nf4"
    )


def test_what_a_gpu_says_is_understood() -> None:
    error = told(SFTSpec(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert "Tried to allocate 2 GiB" in str(error)


def test_what_is_set_already_is_not_proposed_again() -> None:
    spec = SFTSpec(
        micro_batch_tokens=128,
        memory="lean",
        adapter={"type": "lora", "quantization": "nf4"},
        max_length=1024,
    )
    assert smaller(spec) == ["train.max_length to 512"]
    whole = SFTSpec(micro_batch_tokens=128, memory="lean", adapter={"type": "none"})
    assert smaller(whole) == ["train.adapter.type to lora", "train.max_length to 512"]


def test_other_errors_are_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_advice(SFTSpec()):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
