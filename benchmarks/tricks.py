"""What each trick of the engine is worth: the engine with one of them taken away, in one run.

    python benchmarks/tricks.py --model smollm2-135m-instruct --json figures.json

Every row is a process of its own on the same batches (see train_speed.py); repeats alternate. "costs" is
the median over the repeats of the whole engine's speed against the row's, and of the row's peak memory
less the whole engine's."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finewright.report.text import table
from process import machine
from train_speed import Row, add_job_options, cells, run_row, write_job

WHOLE = "nothing"
TRICKS = (
    WHOLE,
    "packing",
    "attention kernel",
    "wide products",
    "thin products",
    "all kernels",
    "whole blocks of rows",
    "linear and MLP nodes",
    "MLP node",
    "norm node",
    "rope node",
    "head",
    "heap",
)


def main() -> None:
    options = parse()
    before = machine()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in TRICKS}
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(options, Path(folder))
        for repeat in range(options.repeats):
            for name in TRICKS:
                print(f"{repeat + 1}/{options.repeats}: without {name}", file=sys.stderr)
                row = Row(name, "without", {"without": name, "threads": options.threads})
                runs[name].append(run_row(sys.executable, row, job, options.threads))
    print(table(HEADER, [line(name, of_row, runs[WHOLE]) for name, of_row in runs.items()]))
    if options.json:
        content = {"machine": before, "model": options.model, "runs": runs}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    add_job_options(parser)
    return parser.parse_args()


HEADER = ["without", "tokens/s", "min", "max", "costs speed", "peak GiB", "costs GiB", "loss"]


def line(
    name: str, runs: Sequence[Mapping[str, Any]], whole: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A row's cells."""
    pairs = list(zip(whole, runs, strict=True))
    slower = statistics.median(w["tokens_per_second"] / r["tokens_per_second"] for w, r in pairs)
    larger = statistics.median(r["peak_gib"] - w["peak_gib"] for w, r in pairs)
    return cells(name, runs, f"{slower:.2f}x", f"{larger:+.2f}")


if __name__ == "__main__":
    main()
