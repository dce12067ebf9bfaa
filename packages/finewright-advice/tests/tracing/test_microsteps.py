"""Two real steps: their memory and time, and an end without a crash where memory does not suffice."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import tiny
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import SFTSpec
from finewright.train.bench import trial_steps
from finewright_advice.lm.microsteps import StepResult, count_held_bytes, micro_steps

pytestmark = pytest.mark.torch


def lm_of(**adapter: Any) -> LM:
    model = tiny.tiny_model("llama")
    return LM(model, add_adapter(model, LoraSpec(**adapter), seed=0))


def spec() -> SFTSpec:
    return SFTSpec(learning_rate=1e-3, max_steps=5, batch_size=2, dtype="fp32", threads=1)


def rows() -> list[Example]:
    return [Example((row,)) for row in tiny.random_rows([50, 50, 50, 50])]


def test_two_steps_are_measured() -> None:
    lm = lm_of()
    found = micro_steps(lm, lambda: trial_steps(lm, spec(), rows()))
    assert found.tokens == (100, 100)
    assert len(found.seconds) == 2
    assert min(found.seconds) > 0
    assert count_held_bytes(lm) < found.tensors < found.process
    assert found.failed == ""


def test_each_storage_of_the_model_counts_once() -> None:
    """A tied head, views into roomy weights, and packed weights with their scratch."""
    lm = lm_of(r=4)
    linears = 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48)
    room = 2 * 4 * (32 + 16 + 16 + 32 + 48 + 48 + 32)
    factors = 2 * 4 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 48))
    others = 2 * tiny.VOCAB * 32 + 5 * 32
    buffers = sum(b.numel() for b in lm.model.buffers())
    assert count_held_bytes(lm) == 4 * (linears + room + factors + others + buffers)
    assert count_held_bytes(lm_of(r=4, quantization="nf4")) < count_held_bytes(lm)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory\nand more"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 byte"),
    ],
)
def test_full_memory_is_an_answer(error: Exception) -> None:
    def begin() -> Iterator[StepResult]:
        raise error
        yield

    found = micro_steps(lm_of(), begin)
    assert found.failed
    assert "\n" not in found.failed
    assert found.tokens == ()


def test_more_than_the_machine_has_fails_before_the_system_kills() -> None:
    def begin() -> Iterator[StepResult]:
        torch.empty(1 << 46, dtype=torch.uint8)
        yield  # type: ignore[misc]

    assert micro_steps(lm_of(), begin).failed


def test_other_errors_are_not_taken_for_full_memory() -> None:
    def begin() -> Iterator[StepResult]:
        raise RuntimeError("shapes do not match")
        yield

    with pytest.raises(RuntimeError, match="shapes"):
        micro_steps(lm_of(), begin)
