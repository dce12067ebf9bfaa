"""Planted poison: how much of it the search finds, and how many clean rows it flags.

Five kinds of attack at three rates on three sets with three seeds (each with wordings of its own), 135
searches and 3 of clean rows. The search was made on five other sets (transactions, bank articles, library
documentation, text-to-SQL, mails) with four other wordings (`--tune`). What the base model has read once is
remembered, so that a benchmark goes on where it was stopped.

    python benchmarks/poison.py
    python benchmarks/poison.py --sets sql --seeds 1 --rates 0.01     # a look
    python benchmarks/poison.py --sets my-rows.jsonl                  # rows of your own, taken as clean
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from finewright.data.base_surprisal import BaseSurprisal, RowSurprisal
from finewright.data.poison import search
from finewright.guard.poison.scan import PoisonFindings
from finewright.schema.rows import Row
from poison_sets import KINDS, REPORTED, TUNED, clean_rows, plant

BASE = "smollm2-135m-instruct"
TUNED_ON = ("erc7730", "bank", "documentation", "sql", "mails")
REPORTED_ON = ("solidity", "natspec-docs", "tool-calls")


class Cell(NamedTuple):
    """One search: planted rows, those found, and clean rows flagged with them."""

    name: str
    kind: str
    rate: float
    seed: int
    planted: int
    found: int
    wrong: int
    seconds: float


def main() -> None:
    options = _options()
    surprisal = BaseSurprisal(BASE, Path.cwd())
    wordings = TUNED if options.tune else REPORTED
    cells = []
    for name in options.sets:
        rows = clean_rows(name, options.limit)
        found, seconds = _searched(rows, surprisal)
        flagged = len(found.why)
        print(
            f"{name}: {len(rows)} clean rows, {flagged} flagged ({flagged / len(rows):.2%}),"
            f" {seconds:.1f} s",
            flush=True,
        )
        for finding in found.report.findings:
            if finding.level == "high" or options.verbose:
                print(f"  {finding.level} {finding.kind} {finding.score}: {finding.reason}")
        for cell in _cells(name, rows, options, surprisal, wordings):
            cells.append(cell)
            if cell.found < cell.planted or cell.wrong or options.verbose:
                print(f"  {cell}", flush=True)
    _show(cells)
    if options.json:
        options.json.write_text(json.dumps([cell._asdict() for cell in cells], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tune", action="store_true", help="the sets and wording of the tuning")
    parser.add_argument("--sets", type=lambda text: text.split(","))
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--rates", type=_numbers, default=[0.005, 0.01, 0.03])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=1000, help="rows of each set")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    tuned, reported = list(TUNED_ON), list(REPORTED_ON)
    options.sets = options.sets or (tuned if options.tune else reported)
    return options


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _cells(
    name: str,
    rows: list[Row],
    options: argparse.Namespace,
    surprisal: RowSurprisal,
    wordings: Sequence[object],
) -> Iterator[Cell]:
    for kind in options.kinds:
        for rate in options.rates:
            for seed in range(options.seeds):
                planted = plant(rows, kind, rate, wordings[seed % len(wordings)], seed)
                found, seconds = _searched(planted.rows, surprisal)
                right = len(planted.poisoned & found.why.keys())
                wrong = len(found.why) - right
                yield Cell(name, kind, rate, seed, len(planted.poisoned), right, wrong, seconds)


def _searched(rows: list[Row], surprisal: RowSurprisal) -> tuple[PoisonFindings, float]:
    start = time.perf_counter()
    found = search(rows, surprisal=surprisal, base_model=BASE)
    return found, time.perf_counter() - start


def _show(cells: Sequence[Cell]) -> None:
    rates = sorted({cell.rate for cell in cells})
    print(f"\n{'recall / precision':22}" + "".join(f"{rate:>16.1%}" for rate in rates))
    for kind in dict.fromkeys(cell.kind for cell in cells):
        line = [_rate([c for c in cells if c.kind == kind and c.rate == rate]) for rate in rates]
        print(f"{kind:22}" + "".join(f"{text:>16}" for text in line))
    for name in dict.fromkeys(cell.name for cell in cells):
        line = [_rate([c for c in cells if c.name == name and c.rate == rate]) for rate in rates]
        print(f"{Path(name).stem:22}" + "".join(f"{text:>16}" for text in line))
    line = [_rate([c for c in cells if c.rate == rate]) for rate in rates]
    print(f"{'all':22}" + "".join(f"{text:>16}" for text in line))


def _rate(cells: Sequence[Cell]) -> str:
    planted, found, wrong = (
        sum(c.planted for c in cells),
        sum(c.found for c in cells),
        sum(c.wrong for c in cells),
    )
    precision = found / (found + wrong) if found + wrong else 1.0
    return f"{found / planted:.2f} / {precision:.2f}" if planted else "-"


if __name__ == "__main__":
    main()
