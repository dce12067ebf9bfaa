"""What strangers' files, run folders and clients can do here, as bars: each part of `hostile_parts` has some.

    python benchmarks/hostile.py --bars                     # all parts; ends with 1 on a miss
    python benchmarks/hostile.py --bars --part files        # only this
    python benchmarks/hostile.py --bars --size smallest     # some seconds a part, as CI runs it

    files       documents, templates, model headers, schemas, patterns and devices that are made to harm
    neighbours  one key that does its worst beside another's short questions, and what times tell of others
    runs        run folders that bring code, consent or scores of their own

Prints a line for all that was tried: figure, limit, met or not, and on what."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import hostile_parts
from bars import Bar, Part, modules_of, parser_of, run_parts


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--size", choices=("full", "smallest"), default="full")
    parts = {name: of_size(module.bars) for name, module in modules_of(hostile_parts).items()}
    return run_parts(parser, parts)


def of_size(bars: Callable[[Path, bool], Iterable[Bar]]) -> Part:
    return lambda folder, options: bars(folder, options.size == "smallest")


if __name__ == "__main__":
    sys.exit(main())
