"""Keep freed memory in the process instead of giving it back to the system at every step.

A step frees and takes again the same activations, tens of megabytes each. glibc maps such blocks
afresh and unmaps them on free, so every step touches new pages: the kernel zeroes them, and on a
virtual machine the host may have to find them first. With mapping off and trimming off the blocks
come from the heap and stay warm. Peak memory is the same, as the next step needs it anyway.

Measured on a 2-core virtual machine, SmolLM2-135M, batches of 4 rows, 70 s: 418 -> 501 tokens/s,
page faults 2.05 -> 0.58 million, stalls of 3-8 s every 20-30 steps gone, peak memory equal."""

import ctypes
import mmap
import platform
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 64 << 20
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; True when it took the settings, False on another libc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _TOP_PAD_BYTES))
    took = [libc.mallopt(name, value) for name, value in settings]
    return all(took)


def zeros_on_demand(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Zeros on the CPU that take memory page by page, as they are written to.

    `torch.zeros` writes them all: 0.75 s and all of the memory for each gigabyte of a cache that may stay
    empty."""
    size = max(prod(shape) * dtype.itemsize, 1)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(pages, dtype=dtype, count=prod(shape)).view(*shape)


def give_back_memory() -> None:
    """Tell glibc to give all that is free back to the system, once."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
