"""Planted poison: how much of it the search finds, and how many clean rows it flags.

Five kinds of attack at three rates on three sets with three seeds (each with wordings of its own), 135
searches and 3 of clean rows. The search was made on five other sets (transactions, bank articles, library
documentation, text-to-SQL, mails) with four other wordings (`--tune`). A process for each core, each with one
thread; about 4 minutes on two cores. What the base model has read once is remembered.

    python benchmarks/poison.py
    python benchmarks/poison.py --sets sql --seeds 1 --rates 0.01     # a look
    python benchmarks/poison.py --sets my-rows.jsonl                  # rows of your own, taken as clean
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from finewright.data.base_surprisal import BaseSurprisal
from finewright.data.poison import search
from finewright.guard.poison.scan import PoisonFindings
from finewright.schema.rows import Row
from poison_sets import KINDS, REPORTED, TUNED, Wording, clean_rows, plant

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
    # Threads of BLAS wait for each other for most of the time, on matrices as small as these.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    cells = []
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for name in options.sets:
            num_rows = len(clean_rows(name, options.limit))  # built once, before several read it
            found = pool.submit(_searched, name, options.limit)
            made = pool.map(partial(_cells, name, options), options.kinds)
            _show_clean(name, num_rows, *found.result(), is_verbose=options.verbose)
            for cell in (cell for own in made for cell in own):
                cells.append(cell)
                if cell.found < cell.planted or cell.wrong or options.verbose:
                    print(f"  {cell}", flush=True)
    _show(cells)
    if options.json:
        options.json.write_text(json.dumps([cell._asdict() for cell in cells], indent=1) + "\n")


def _show_clean(
    name: str, num_rows: int, found: PoisonFindings, seconds: float, *, is_verbose: bool
) -> None:
    flagged = len(found.why)
    print(f"{name}: {num_rows} clean rows, {flagged} flagged ({flagged / num_rows:.2%}),"
          f" {seconds:.1f} s", flush=True)  # fmt: skip
    for finding in found.report.findings:
        if finding.level == "high" or is_verbose:
            print(f"  {finding.level} {finding.kind} {finding.score}: {finding.reason}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tune", action="store_true", help="the sets and wording of the tuning")
    parser.add_argument("--sets", type=lambda text: text.split(","))
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--rates", type=_numbers, default=[0.005, 0.01, 0.03])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=1000, help="rows of each set")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    tuned, reported = list(TUNED_ON), list(REPORTED_ON)
    options.sets = options.sets or (tuned if options.tune else reported)
    return options


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _cells(name: str, options: argparse.Namespace, kind: str) -> list[Cell]:
    return list(_each_cell(name, options, kind))


def _each_cell(name: str, options: argparse.Namespace, kind: str) -> Iterator[Cell]:
    wordings = TUNED if options.tune else REPORTED
    for rate in options.rates:
        for seed in range(options.seeds):
            attack = Attack(kind, rate, wordings[seed % len(wordings)], seed)
            planted = plant(_rows(name, options.limit), *attack)
            found, seconds = _searched(name, options.limit, attack)
            right = len(planted.poisoned & found.why.keys())
            wrong = len(found.why) - right
            yield Cell(name, kind, rate, seed, len(planted.poisoned), right, wrong, seconds)


class Attack(NamedTuple):
    """What is planted in a set."""

    kind: str
    rate: float
    wording: Wording
    seed: int


def _searched(name: str, limit: int, attack: Attack | None = None) -> tuple[PoisonFindings, float]:
    rows = _rows(name, limit)
    if attack:
        rows = plant(rows, *attack).rows
    start = time.perf_counter()
    found = search(rows, surprisal=_surprisal(), base_model=BASE)
    return found, time.perf_counter() - start


@cache
def _rows(name: str, limit: int) -> list[Row]:
    return clean_rows(name, limit)


@cache
def _surprisal() -> BaseSurprisal:
    return BaseSurprisal(BASE, Path.cwd())


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
