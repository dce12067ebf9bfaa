"""Sums in float32: the same numbers as the plain sum, and no float32 copy of the whole term."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from finewright.lm.accumulate import add_into, row_parts
from finewright.lm.fast import head

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("shape", [(), (7,), (5, 3), (9_000, 700), (3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_add_into_is_the_plain_sum(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    total, term = torch.randn(shape), torch.randn(shape).to(dtype)
    expected = total + term.float()
    add_into(total, term)
    assert torch.equal(total, expected)


@pytest.mark.parametrize("shape", [(1,), (9_000, 700), (0, 4), (3, 5_000_000)])
def test_the_parts_are_all_rows_once(shape: tuple[int, ...]) -> None:
    total = torch.empty(shape)
    seen = [row for part in row_parts(total) for row in range(shape[0])[part]]
    assert seen == list(range(shape[0]))


def test_a_sum_takes_no_copy_of_the_term() -> None:
    total, term = torch.zeros(60_000, 512), torch.ones(60_000, 512, dtype=torch.bfloat16)
    assert _largest_allocation(lambda: add_into(total, term)) <= 16 * 2**20 < total.nbytes


def test_a_head_that_learns_makes_one_float32_gradient_and_its_rounding() -> None:
    weight = torch.randn(60_000, 256).bfloat16().requires_grad_()
    hidden, targets = torch.randn(20, 256).bfloat16().requires_grad_(), torch.arange(20)
    found = head.logps(hidden, head.Head(weight), targets).sum()
    assert _most_at_once(found.backward) < (4 + 2) * weight.numel() + 40 * 2**20


def _largest_allocation(work: Callable[[], object]) -> int:
    return max((size for size in _allocations(work) if size > 0), default=0)


def _most_at_once(work: Callable[[], object]) -> int:
    live = most = 0
    for size in _allocations(work):
        live += size
        most = max(most, live)
    return most


def _allocations(work: Callable[[], object]) -> list[int]:
    """Bytes taken (positive) and given back (negative), in order."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    results: Any = profiled.profiler
    events = [e for e in results.kineto_results.events() if e.name() == "[memory]"]
    return [int(e.nbytes()) for e in sorted(events, key=lambda e: int(e.start_ns()))]
