"""Memory of caches."""

import torch

from finewright.lm.fast.compiled import zeros_on_demand


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no file of ours
        return int(file.read().split()[1]) * 4096


def test_zeros_take_memory_where_they_are_written_to() -> None:
    before = resident_bytes()
    found = zeros_on_demand((64, 2**20), torch.bfloat16)
    assert resident_bytes() - before < 2**20
    found[3] = 1
    assert 2**20 <= resident_bytes() - before < 2**23
    assert float(found[3].float().mean()) == 1
    assert not found[:3].any()
    assert not found[4:].any()
