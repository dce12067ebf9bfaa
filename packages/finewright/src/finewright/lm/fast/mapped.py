"""Weights that lie in a mapped file, and how to let go of their memory while the file stays mapped.

A safetensors file is mapped whole, and its tensors are views of the mapping: a page that was read stays
in the process's resident memory for as long as any tensor of the file lives, and the embedding lives to
the end. So a weight that was copied or packed would still take its bytes, and the peak would be that of
the whole model.

MADV_DONTNEED drops such pages: who reads them again gets them from the file. A page that was written to
is private to the process and would be lost, so the system is asked first whether each page is the file's."""

import ctypes
import mmap
import platform
from pathlib import Path

import torch
from torch import Tensor

_PAGEMAP = Path("/proc/self/pagemap")
_ENTRY = 8  # bytes a page; see Documentation/admin-guide/mm/pagemap.rst
_PRESENT, _SWAPPED, _OF_A_FILE = 1 << 63, 1 << 62, 1 << 61
_DONTNEED = 4


def let_go(tensor: Tensor) -> int:
    """Drop the whole pages of a tensor that only repeat a file; returns their bytes.

    The tensor keeps its numbers, to be read again from the file. Does nothing for other memory, nor
    where the system tells nothing of its pages."""
    if platform.system() != "Linux" or tensor.device.type != "cpu" or not _PAGEMAP.exists():
        return 0
    if type(tensor) is not Tensor:  # a fake one has no memory
        return 0
    start = -(-tensor.data_ptr() // mmap.PAGESIZE)
    stop = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE
    if stop <= start or not _repeat_a_file(start, stop - start):
        return 0
    length = (stop - start) * mmap.PAGESIZE
    address, size = ctypes.c_void_p(start * mmap.PAGESIZE), ctypes.c_size_t(length)
    return 0 if ctypes.CDLL(None).madvise(address, size, ctypes.c_int(_DONTNEED)) else length


def _repeat_a_file(first_page: int, pages: int) -> bool:
    """Is every page that is in memory one of a file, with nothing written to it?"""
    with _PAGEMAP.open("rb", buffering=0) as file:
        file.seek(first_page * _ENTRY)
        data = file.read(pages * _ENTRY)
    entries = torch.frombuffer(bytearray(data), dtype=torch.int64)
    here = (entries & _signed(_PRESENT | _SWAPPED)) != 0
    return len(entries) == pages and bool((entries[here] & _OF_A_FILE).all())


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits
