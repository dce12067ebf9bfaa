"""A measurement as a process of its own, and what is said of the machine beside its figures."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from finewright.lm import runtime

_SHOWN = 1500


class RowError(Exception):
    """A process gave no figures, and the last of what it said."""


def figures_of(
    command: Sequence[str], environment: Mapping[str, str], *, seconds: float = 3600
) -> dict[str, Any]:
    """The JSON on the last line of what the command prints; it is killed after `seconds`.

    Raises RowError when it ends with an error or takes longer."""
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RowError(f"not done after {seconds:.0f} s") from None
    if done.returncode:
        raise RowError(f"exit code {done.returncode}: {done.stderr.strip()[-_SHOWN:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def thread_settings(threads: int) -> dict[str, str]:
    """Environment that gives a process so many CPU threads, whichever library starts them."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return dict.fromkeys(names, str(threads)) | {"TOKENIZERS_PARALLELISM": "false"}


def machine() -> dict[str, str]:
    """What the figures are of, and how busy it was with other work."""
    return {
        "device": runtime.describe_device(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "cores_others_use": f"{runtime.cores_others_use():.2f}",
    }
