"""How often macro F1's 95 % interval holds the truth: ours beside the percentile bootstrap.

    python benchmarks/macro_f1.py --bars      # 15 minutes

A population is a table of right label x answer: 2, 5 or 20 labels, alike or of Zipf's shares; 2, 10 or 40 %
of the answers wrong, or mostly those to rare labels; the wrong ones no label, the rarest one, or any. The
truth is the population's mean F1 over the labels that the sample has, as macro F1 is of those. At 200 samples
a cell's standard error is 1.5 points; the bars are for the mean over cells and for the worst one.
"""

import sys
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bars import Bar, finish, parser_of
from finewright.evaluate.scorers import LabelCodes, macro_f1_of_codes
from finewright.judge.macro_bounds import Truth, macro_f1_interval
from finewright.judge.statistics import Interval, bootstrap_statistic
from finewright.report.columns import table

ROWS, LABELS = (20, 50, 200), (2, 5, 20)
MEAN_AT_LEAST, WORST_AT_LEAST = 0.95, 0.91
_BOOTSTRAP_EVERY, _DRAWS, _BOOTSTRAP_DRAWS = 8, 400, 200


class Cell(NamedTuple):
    """A population and a number of rows: (L, L + 1) shares of right label x answer."""

    name: str
    rows: int
    shares: NDArray[np.float64]


class Covered(NamedTuple):
    """The share of intervals that hold the truth, and their mean width."""

    share: float
    width: float


def cells() -> Iterator[Cell]:
    """All of them whose samples have two rows a label or more."""
    wrong = {"2 %": 0.02, "10 %": 0.1, "40 %": 0.4, "rare": None}
    for rows, size, shape in product(ROWS, LABELS, ("alike", "zipf")):
        label = np.ones(size) if shape == "alike" else 1 / np.arange(1, size + 1)
        label = label / label.sum()
        for (error, share), to in product(wrong.items(), ("none", "rarest", "any")):
            if rows >= 2 * size:
                of = (
                    np.minimum(0.9, 0.05 / (label * size))
                    if share is None
                    else np.full(size, share)
                )
                name = f"{size} {shape}, {error} wrong, {to}"
                yield Cell(name, rows, _shares(label, of, to))


def _shares(label: NDArray[np.float64], wrong: NDArray[np.float64], to: str) -> NDArray[np.float64]:
    size = label.size
    shares = np.zeros((size, size + 1))
    for c in range(size):
        others = np.zeros(size + 1)
        if to == "none":
            others[size] = 1
        elif to == "rarest":
            others[size - 1 if c < size - 1 else 0] = 1
        else:
            others[:size] = label
            others[c] = 0
        shares[c] = label[c] * wrong[c] * others / others.sum()
        shares[c, c] = label[c] * (1 - wrong[c])
    return shares


def covered(cell: Cell, samples: int, *, bootstrap: bool) -> Covered:
    """What one of the two intervals does in a cell."""
    rng = np.random.default_rng(0)
    size = len(cell.shares)
    f1 = 2 * np.diag(cell.shares) / (cell.shares.sum(1) + cell.shares.sum(0)[:size])
    held, widths = [], []
    for seed in range(samples):
        drawn = rng.choice(cell.shares.size, size=cell.rows, p=cell.shares.ravel())
        if bootstrap and seed % _BOOTSTRAP_EVERY:
            continue
        right, said = drawn // (size + 1), drawn % (size + 1)
        present = np.unique(right)
        code = np.full(size + 1, len(present))
        code[present] = np.arange(len(present))
        codes = LabelCodes(code[said], code[right], len(present))
        low, high = (_bootstrap if bootstrap else _ours)(codes, seed)
        held.append(low <= f1[present].mean() <= high)
        widths.append(high - low)
    return Covered(float(np.mean(held)), float(np.mean(widths)))


def _ours(codes: LabelCodes, seed: int) -> Interval:
    truth = Truth(codes.expected, codes.num_labels)
    return macro_f1_interval(codes.answers, truth, confidence=0.95, resamples=_DRAWS, seed=seed)


def _bootstrap(codes: LabelCodes, seed: int) -> Interval:
    def statistic(rows: NDArray[np.intp]) -> float:
        picked = LabelCodes(codes.answers[rows], codes.expected[rows], codes.num_labels)
        return macro_f1_of_codes(picked)

    rows = len(codes.expected)
    draws = _BOOTSTRAP_DRAWS
    return bootstrap_statistic(rows, statistic, confidence=0.95, resamples=draws, seed=seed)


def main() -> int:
    """Print a line for each number of rows; with --bars exit with 1 where ours is missed."""
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    lines, bars = [], list[Bar]()
    for rows in ROWS:
        found = [cell for cell in cells() if cell.rows == rows]
        for name, bootstrap in (("ours", False), ("percentile bootstrap", True)):
            each = [covered(cell, options.samples, bootstrap=bootstrap) for cell in found]
            mean, worst = float(np.mean([c.share for c in each])), min(c.share for c in each)
            width = np.mean([c.width for c in each])
            shown = [f"{100 * value:.1f} %" for value in (mean, worst, width)]
            lines.append([name, str(rows), str(len(found)), *shown])
            if not bootstrap:
                on = f"{rows} rows, {len(found)} cells"
                bars.append(Bar("intervals that hold, mean", mean, MEAN_AT_LEAST, on=on))
                bars.append(Bar("intervals that hold, worst", worst, WORST_AT_LEAST, on=on))
    print(table(["interval", "rows", "cells", "holds", "worst", "width"], lines) + "\n")
    return finish(bars, options)


if __name__ == "__main__":
    sys.exit(main())
