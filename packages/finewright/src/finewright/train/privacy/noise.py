"""The secret chance of a private training: which units a step sees, and the noise it adds.

Both follow from a key of 256 bits that the operating system draws, by Philox (Salmon et al. 2011), a counter-
based generator, keyed anew for each step. So a step that is taken again after a cut is the same to the bit,
and nothing is spent twice. Whoever has the key can take the noise off again: it lies beside the checkpoints
while they are needed, readable by its owner alone, and is gone when the training is done. That is also why
the spec's seed has no part in it, and two runs of one spec differ.

The noise is float32: what its finite steps give away (Mironov 2012) is not accounted for."""

import hashlib
import json
import os
import secrets
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finewright.errors import StageError

_FILE = "noise.json"


class Chance:
    """Draws of a training, by its key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def units(self, step: int, count: int, rate: float) -> list[int]:
        """The numbers of the units that a step sees, each with probability `rate` by itself; maybe none."""
        drawn = self._generator(step, "units").random(count)
        return [int(number) for number in np.flatnonzero(drawn < rate)]

    def noise(self, step: int, shapes: list[torch.Size]) -> list[Tensor]:
        """Standard normal numbers of these shapes, float32."""
        generator = self._generator(step, "noise")
        return [torch.from_numpy(generator.standard_normal(s, dtype=np.float32)) for s in shapes]

    def _generator(self, step: int, purpose: str) -> np.random.Generator:
        digest = hashlib.sha256(self._key + f"/{purpose}/{step}".encode()).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))


def keep_chance(folder: Path, key: str, *, step: int) -> Chance:
    """The chance of the run with that stage key, drawn and written when it is not there.

    Raises StageError where a training that has come to `step` has lost it."""
    path = folder / _FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == key:
            return Chance(bytes.fromhex(found["secret"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if step:
        raise StageError(
            f"{path}: the key of the noise is not there, and without it step {step + 1} would spend again",
            hint=f"remove {folder} to begin again",
        )
    folder.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(32)
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"key": key, "secret": secret.hex()}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return Chance(secret)


def forget_chance(folder: Path) -> None:
    """Remove the key: from here on nobody can take the noise off."""
    (folder / _FILE).unlink(missing_ok=True)
