"""The parts of `benchmarks/web3.py`, one for each job."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_of(
    example: str,
    sets: Sequence[str],
    folder: Path,
    options: argparse.Namespace,
    *,
    verb: str = "up",
) -> Path:
    """The finished run of an example that `--runs` names; else it is run in the folder, after its sets are
    built where the spec looks for them."""
    named: dict[str, Path] = dict(options.runs)
    if example in named:
        return named[example]
    program = [sys.executable, "-m", "finewright"]
    for name in sets:
        if not (data := EXAMPLES / name).is_dir():
            subprocess.run(
                [*program, "data", "get", name, "--out", str(data)], check=True, stdout=2
            )
    changes = [part for change in options.overrides for part in ("--set", change)]
    command = [*program, verb, str(EXAMPLES / f"{example}.yaml"), *changes]
    subprocess.run(command, check=True, cwd=folder, stdout=2)
    (run,) = folder.glob(f"runs/*-{example}-*")
    return run
