"""What strangers' files, run folders and clients can do here, as bars: each part of `hostile_parts` has some.

    python benchmarks/hostile.py --bars                     # all parts; ends with 1 on a miss
    python benchmarks/hostile.py --bars --part files        # only this
    python benchmarks/hostile.py --bars --size smallest     # some seconds a part, as CI runs it

    files       documents, templates, model headers, schemas, patterns and devices that are made to harm
    neighbours  one key that does its worst beside another's short questions, and what times tell of others
    runs        run folders that bring code, consent or scores of their own

Prints a line for all that was tried: figure, limit, kept or not, and on what."""

import argparse
import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import hostile_parts
from door import shown
from door_parts import Bar


def main() -> int:
    options = parse()
    bars = [bar for name in options.part or parts() for bar in measured(name, options.size)]
    print(shown(bars))
    return int(options.bars and not all(bar.is_met for bar in bars))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", action="store_true", help="end with 1 where a bar is not kept")
    parser.add_argument("--part", nargs="+", choices=parts(), help="only these parts")
    parser.add_argument("--size", choices=("full", "smallest"), default="full")
    return parser.parse_args()


def parts() -> list[str]:
    names = sorted(module.name for module in pkgutil.iter_modules(hostile_parts.__path__))
    return [name for name in names if hasattr(_part(name), "bars")]


def measured(name: str, size: str) -> list[Bar]:
    print(f"{name} ...", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        found: list[Bar] = _part(name).bars(Path(folder), size == "smallest")
    return found


def _part(name: str) -> ModuleType:
    return importlib.import_module(f"hostile_parts.{name}")


if __name__ == "__main__":
    sys.exit(main())
