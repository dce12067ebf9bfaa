"""What bitsandbytes makes of a weight, kept in bitsandbytes_nf4.safetensors so that tests need not have it.

Made with bitsandbytes 0.50.2 and torch 2.13.0 on a CPU by

    python tests/lm/fast/bitsandbytes_nf4.py

The weight is made by exact arithmetic alone, so it is the same everywhere: long tails, rows of very
different size, a row of zeros, an outlier, and 65 x 6 blocks, which are more than one block of scales."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

FILE = Path(__file__).with_suffix(".safetensors")
ROWS, WIDTH = 6, 65 * 64


def weight() -> Tensor:
    """(6, 4160) float32."""
    i = np.arange(ROWS * WIDTH, dtype=np.int64)
    tail = ((i * i % 10007 * 31 + i * 7919) % 10007 - 5003) / 5003.0
    rows = np.array([0.125, 0.5, 0.0, 2.0**-9, 1.0, 0.25])
    made = (tail**3).reshape(ROWS, WIDTH) * rows[:, None]
    made[1, 777] = 40.0
    return torch.from_numpy(made.astype(np.float32))


def stored() -> dict[str, Tensor]:
    """codes, scales, scale_scales, mean, dynamic, values; named as in quantized.py, flat."""
    return load_file(FILE)


def main() -> None:
    """Ask bitsandbytes."""
    from bitsandbytes import functional as bnb

    codes, state = bnb.quantize_4bit(
        weight(), blocksize=64, compress_statistics=True, quant_type="nf4"
    )
    found = {
        "codes": codes.flatten(),
        "scales": state.absmax.flatten(),
        "scale_scales": state.state2.absmax,
        "mean": state.offset.view(1),
        "dynamic": state.state2.code,
        "levels": state.code,
        # one row in four keeps the file small
        "values": bnb.dequantize_4bit(codes, state)[::4].contiguous(),
    }
    save_file(found, FILE)


if __name__ == "__main__":
    main()
