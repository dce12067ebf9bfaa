"""A measurement as a process of its own, and what is said of the machine beside its figures."""

import json
import os
import platform
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from finewright.lm import runtime

_SHOWN = 1500


Figures = dict[str, Any]  # Any: numbers, and lists of them


class RowError(Exception):
    """A process gave no figures, and the last of what it said."""


class Runs(NamedTuple):
    """The figures of each row, one for each repeat, and why others have none."""

    of: dict[str, list[Figures]]
    failures: dict[str, str]


def in_turns(names: Iterable[str], repeats: int, run: Callable[[str], Figures]) -> Runs:
    """Every row once in each repeat, as a busy machine then hits all alike; what fails is not repeated."""
    of: dict[str, list[Figures]] = {name: [] for name in names}
    failures: dict[str, str] = {}
    for repeat in range(repeats):
        for name, runs in of.items():
            if name in failures:
                continue
            print(f"repeat {repeat + 1}/{repeats}: {name}", file=sys.stderr)
            try:
                runs.append(run(name))
            except RowError as error:
                failures[name] = str(error)
                print(f"{name}: {error}", file=sys.stderr)
    return Runs({name: runs for name, runs in of.items() if runs}, failures)


def figures_of(
    command: Sequence[str], environment: Mapping[str, str], *, seconds: float = 3600
) -> Figures:
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
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def write_figures(options: Namespace, **content: object) -> None:
    """Write what was measured, with the options, where `--json` says."""
    if options.json:
        told = {name: str(value) for name, value in vars(options).items()}
        text = json.dumps({"options": told, **content}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


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
