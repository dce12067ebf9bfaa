"""Are the engine's own CPU kernels in use here? For those above `lm`, who know nothing of `lm.fast`."""

from finewright.lm.fast import library


def why_no_kernels() -> str:
    """Empty when the CPU kernels are compiled and loaded, else the reason why plain torch runs instead."""
    return library.status().reason
