"""What the data door finds and lets through, as bars: each part of `door_parts` measures some.

    pip install "finewright[data]"
    python benchmarks/door.py --bars                      # all parts; missing sets are fetched
    python benchmarks/door.py --bars --part repeats leaks # only these
    python benchmarks/door.py --sets FOLDER --json bars.json   # on the JSONL files of the folder

Prints a line a bar: figure, limit, met or not, and the rows. With --bars a miss ends it with 1."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import door_parts
from bars import Bar, Part, modules_of, parser_of, run_parts


def main() -> int:
    # The matrices are small: on a busy machine threads of BLAS wait for each other for most of the time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = parser_of(__doc__)
    parser.add_argument("--sets", type=Path, help="JSONL of yours for labels, leaks and poison")
    parts = {name: on_sets(module.bars) for name, module in modules_of(door_parts).items()}
    return run_parts(parser, parts)


def on_sets(bars: Callable[[Path], Iterable[Bar]]) -> Part:
    def measured(folder: Path, options: argparse.Namespace) -> Iterable[Bar]:
        if options.sets and not any(options.sets.glob("*.jsonl")):
            sys.exit(f"{options.sets}: no JSONL file is there")
        return bars(options.sets or folder)

    return measured


if __name__ == "__main__":
    sys.exit(main())
