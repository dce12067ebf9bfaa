"""What the data door finds and lets through, as bars: each part of `door_parts` measures some.

    pip install "finewright[data]"
    python benchmarks/door.py --bars                      # all parts; missing sets are fetched
    python benchmarks/door.py --bars --part repeats leaks # only these
    python benchmarks/door.py --sets FOLDER --json bars.json   # on the JSONL files of the folder

Prints a line a bar: figure, limit, kept or not, and the rows.
With --bars it ends with 1 where one is not kept."""

import argparse
import importlib
import json
import os
import pkgutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import door_parts
from door_parts import Bar
from finewright.report.text import table


def main() -> int:
    # The matrices are small: on a busy machine threads of BLAS wait for each other for most of the time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        sets = options.sets or Path(folder)
        bars = [bar for name in options.part or parts() for bar in measured(name, sets)]
    print(shown(bars))
    if options.json:
        lines = [bar._asdict() | {"is_met": bar.is_met} for bar in bars]
        options.json.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    return int(options.bars and not all(bar.is_met for bar in bars))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", action="store_true", help="end with 1 where a bar is not kept")
    parser.add_argument("--part", nargs="+", choices=parts(), help="only these parts")
    parser.add_argument(
        "--sets", type=Path, help="a folder of sets, each built where it is missing"
    )
    parser.add_argument("--json", type=Path, help="also write the bars here")
    return parser.parse_args()


def parts() -> list[str]:
    """The modules that have bars; the others are what these are made of."""
    names = sorted(module.name for module in pkgutil.iter_modules(door_parts.__path__))
    return [name for name in names if hasattr(_part(name), "bars")]


def measured(name: str, sets: Path) -> list[Bar]:
    print(f"{name} ...", file=sys.stderr)
    return list(_part(name).bars(sets))


def _part(name: str) -> ModuleType:
    return importlib.import_module(f"door_parts.{name}")


def shown(bars: Sequence[Bar]) -> str:
    rows = [
        [
            bar.name,
            f"{bar.figure:.3f}",
            f"{'<=' if bar.at_most else '>='} {bar.limit}",
            "kept" if bar.is_met else "NOT KEPT",
            bar.on,
        ]
        for bar in bars
    ]
    return table(["bar", "figure", "limit", "", "on"], rows)


if __name__ == "__main__":
    sys.exit(main())
