"""A bar, and what benchmarks with bars share: their options, their table, and how a miss ends them."""

import argparse
import importlib
import json
import pkgutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from finewright.report.columns import table

_WHOLE = 1000
"""From here on a figure is shown without decimals."""


class Bar(NamedTuple):
    """A figure, the limit it has to keep, and on what it was measured."""

    name: str
    figure: float
    limit: float
    at_most: bool = False
    on: str = ""

    @property
    def is_met(self) -> bool:
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit


Part = Callable[[Path, argparse.Namespace], Iterable[Bar]]
"""Measures in an empty folder of its own, under the command's options."""


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser with `--bars`, described by the first line of a docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--bars", action="store_true", help="end with 1 where a bar is missed")
    return parser


def run_parts(parser: argparse.ArgumentParser, parts: Mapping[str, Part]) -> int:
    """Parse, run the parts that are named by `--part`, or all, and give the exit code."""
    parser.add_argument("--part", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--json", type=Path, help="also write the bars here")
    options = parser.parse_args()
    bars: list[Bar] = []
    for name in options.part:
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            bars += parts[name](Path(folder), options)
    if options.json:
        lines = [bar._asdict() | {"is_met": bar.is_met} for bar in bars]
        options.json.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    return finish(bars, options)


def modules_of(package: ModuleType) -> dict[str, ModuleType]:
    """The modules of a package that have `bars`; the others are what these are made of."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "bars")}


def finish(bars: Sequence[Bar], options: argparse.Namespace) -> int:
    """Print the bars, and give the exit code: 1 where one is missed and `--bars` asks for it."""
    print(show_bars(bars))
    return int(options.bars and not all(bar.is_met for bar in bars))


def show_bars(bars: Sequence[Bar]) -> str:
    """A line a bar; what it was measured on is long, and stands behind the table."""
    rows = [
        [
            bar.name,
            f"{bar.figure:,.0f}" if bar.figure >= _WHOLE else f"{bar.figure:.4g}",
            f"{'<=' if bar.at_most else '>='} {bar.limit:,g}",
            "met" if bar.is_met else "MISSED",
        ]
        for bar in bars
    ]
    lines = table(["bar", "figure", "limit", ""], rows).splitlines()
    width = max(map(len, lines))
    on = ["on", *(bar.on for bar in bars)]
    return "\n".join(f"{a:{width}}  {b}".rstrip() for a, b in zip(lines, on, strict=True))
