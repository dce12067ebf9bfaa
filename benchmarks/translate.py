"""Public configs of other frameworks: how many come in with every key accounted for, and how many as specs.

    git clone https://github.com/axolotl-ai-cloud/axolotl configs/axolotl   # and so on, a folder each
    python benchmarks/translate.py --configs configs --bars
    python benchmarks/translate.py --configs configs --half even

`--configs` has a folder for each framework. The tables of keys were made from the even half of the files (by
the SHA-256 of the path in that folder); the odd half chose nothing. Counted are configs of methods that
finewright has: the others are listed by their reason. `written` is stricter than the bar: no key refused,
and the spec passes the schema."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import get_args

from bars import Bar, finish, parser_of
from finewright.errors import FinewrightError
from finewright_bridge.translate.inward import Imported, check_draft, refuse_keys, spec_text
from finewright_bridge.translate.read import read_config
from finewright_bridge.translate.tables import PeerName

_SMALL = Path(__file__).parent / "peer_configs"
_ACCOUNTED = 0.9
"""Nine of ten configs of a framework's own examples."""


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--configs", type=Path, default=_SMALL, help="a folder a framework")
    parser.add_argument("--half", choices=("even", "odd", "both"), default="odd")
    options = parser.parse_args()
    bars: list[Bar] = []
    for name in get_args(PeerName):
        if (options.configs / name).is_dir():
            bars += measure(name, options.configs / name, options)
    if not bars:
        sys.exit(f"{options.configs}: no folder is named as a framework, or none has such configs")
    return finish(bars, options)


def measure(name: PeerName, folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """How many configs in the folder are read whole; why others are not, on stderr."""
    files = [path for path in sorted(folder.rglob("*.y*ml")) if _is_in_half(path, folder, options)]
    outside: Counter[str] = Counter()
    accounted = written = inside = 0
    for path in files:
        try:
            config = Imported(read_config(path, name), "", ())
        except FinewrightError as error:
            outside[str(error).rpartition(f"{path.name}: ")[2]] += 1
            continue
        if config.outside:
            outside[config.outside[0].why] += 1
            continue
        inside += 1
        if config.unknown:
            print(f"{path}: unknown {config.unknown[0].key}", file=sys.stderr)
            continue
        accounted += 1
        written += _is_written(config, path)
    for why, count in outside.most_common():
        print(f"{name}: {count} not counted: {why}", file=sys.stderr)
    if inside:
        of = f"{name}: {accounted} of {inside} of our methods, of {len(files)} files"
        yield Bar("every key accounted for", accounted / inside, _ACCOUNTED, on=of)
        yield Bar("written as a spec", written / inside, 0, on=f"{name}: {written} of {inside}")


def _is_in_half(path: Path, folder: Path, options: argparse.Namespace) -> bool:
    if options.half == "both":
        return True
    number = int(sha256(str(path.relative_to(folder)).encode()).hexdigest(), 16)
    is_odd = number % 2 == 1
    return is_odd if options.half == "odd" else not is_odd


def _is_written(config: Imported, path: Path) -> bool:
    try:
        refuse_keys(config)
        check_draft(spec_text(config, path), path, config)
    except FinewrightError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
