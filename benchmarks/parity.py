"""False proofs of parity, and how often a score's interval holds the truth: ours beside the bootstrap.

    python benchmarks/parity.py --bars      # 2 minutes

A model whose true mean loss is exactly the margin (5 points) is proved as good in more than 5 % of draws
only by a bound that is too lenient. What differs between the shapes is who loses: few rows all, many a
little, or a mixture. Power is the share of proofs where the two models are equal. Scores: two-sided 95 %
intervals on 20 to 200 rows. The shapes were written down after the bound was chosen, or were not looked at
before it. Every cell is of `--draws` samples (at 1000 its standard error is 0.7 points). Eight other bounds
that were tried are in commit 7e7cc058."""

import math
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bars import Bar, finish, parser_of
from finewright.judge.bounds import mean_at_least
from finewright.judge.statistics import mean_interval
from finewright.report.columns import table

Floats = NDArray[np.float64]
Rng = np.random.Generator
Bound = Callable[[Floats, float, Rng], float]
"""A one-sided lower bound of a mean of values in [-1, 1], at 1 - alpha."""

MARGIN, ALPHA, RESAMPLES = 0.05, 0.05, 1000
PARITY_ROWS, SCORE_ROWS, POWER_ROWS = (50, 100, 200), (20, 60, 200), (60, 100, 200, 400)
FALSE_PROOFS_AT_MOST, COVERED_AT_LEAST = 0.06, 0.94
_TINY = 1e-12


class Part(NamedTuple):
    """A share of the rows, and what they are worth: `low` to `high` evenly, or sign * Beta(a, b)."""

    share: float
    low: float = 0.0
    high: float = 0.0
    beta: tuple[float, float] | None = None
    sign: float = 1.0

    @property
    def mean(self) -> float:
        """The true mean of these rows."""
        if self.beta:
            return self.sign * self.beta[0] / sum(self.beta)
        return (self.low + self.high) / 2


Shape = tuple[Part, ...]


def at(share: float, value: float) -> Part:
    """Rows that all have one value."""
    return Part(share, value, value)


LOSSES: dict[str, Shape] = {
    "Beta(0.3, 2.7), half": (Part(0.5, beta=(0.3, 2.7), sign=-1), at(0.5, 0)),
    "one in 25 all, one in 10 a tenth": (at(0.04, -1), at(0.1, -0.1), at(0.86, 0)),
    "halves lost and won": (at(0.2, -0.5), at(0.1, 0.5), at(0.7, 0)),
    "few all, a tenth Beta(1, 19)": (at(0.045, -1), Part(0.1, beta=(1, 19), sign=-1), at(0.855, 0)),
    "a tenth, evenly to all": (Part(0.1, -1, 0), at(0.9, 0)),
    "a tenth all, half win a tenth": (at(0.1, -1), at(0.5, 0.1), at(0.4, 0)),
    "Beta(0.5, 9.5)": (Part(1, beta=(0.5, 9.5), sign=-1),),
}
SCORES: dict[str, Shape] = {
    "1 or evenly half to 1": (at(0.8, 1), Part(0.2, 0.5, 1)),
    "Beta(0.5, 0.1)": (Part(1, beta=(0.5, 0.1)),),
    "thirds": (at(0.25, 0), at(0.25, 1 / 3), at(0.25, 2 / 3), at(0.25, 1)),
    "most 0, few Beta(8, 2)": (at(0.93, 0), Part(0.07, beta=(8, 2))),
    "Beta(1, 12)": (Part(1, beta=(1, 12)),),
    "0.97 of 0/1 (Wilson)": (at(0.97, 1), at(0.03, 0)),
}
EQUAL: dict[str, Shape] = {
    "never differ": (at(1, 0),),
    "2 % differ by all": (at(0.01, -1), at(0.01, 1), at(0.98, 0)),
    "10 % differ by all": (at(0.05, -1), at(0.05, 1), at(0.9, 0)),
    "a third differ, to half": (Part(0.33, -0.5, 0.5), at(0.67, 0)),
    "all differ, to a quarter": (Part(1, -0.25, 0.25),),
}


def drawn(shape: Shape, n: int, rng: Rng) -> Floats:
    """n rows of a shape."""
    which = rng.choice(len(shape), size=n, p=[part.share for part in shape])
    values = np.zeros(n)
    for number, part in enumerate(shape):
        rows = which == number
        count = int(rows.sum())
        values[rows] = (
            part.sign * rng.beta(*part.beta, size=count)
            if part.beta
            else rng.uniform(part.low, part.high, size=count)
        )
    return values


def true_mean(shape: Shape) -> float:
    """What no sample shows exactly."""
    return math.fsum(part.share * part.mean for part in shape)


def percentile(x: Floats, alpha: float, rng: Rng) -> float:
    """The percentile bootstrap."""
    return float(np.quantile(_resampled(x, rng).mean(axis=1), alpha))


def ours(x: Floats, alpha: float, rng: Rng) -> float:
    """What finewright uses."""
    return mean_at_least(x, floor=-1.0, confidence=1 - alpha, draws=RESAMPLES, rng=rng)


BOUNDS: dict[str, Bound] = {"percentile": percentile, "ours": ours}


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="samples of each cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    false = proofs(LOSSES, PARITY_ROWS, options.draws, rng)
    print(shown("False proofs, % (nominal 5)", false))
    power = proofs(EQUAL, POWER_ROWS, max(1, options.draws // 4), rng)
    print(shown("Power, % of proofs where the models are equal", power))
    covered, widths = coverage(SCORES, options.draws, rng)
    print(shown("Intervals of scores that hold the truth, % (nominal 95)", covered))
    print(shown("Their width, points", widths) + "\n")
    # A cell may miss a bar by two standard errors of its own.
    noise = 2 * math.sqrt(0.05 * 0.95 / options.draws)
    most = max(values[-1] for values in false.values())
    least = min(values[-1] for values in covered.values())
    on = f"noise {noise:.3f} allowed"
    bars = [
        Bar("false proofs, the worst cell", most, FALSE_PROOFS_AT_MOST + noise, True, on),
        Bar("coverage of scores, the worst cell", least, COVERED_AT_LEAST - noise, on=on),
    ]
    return finish(bars, options)


Cells = dict[tuple[str, int], list[float]]
"""(shape, rows) -> a figure of every bound, in their order."""


def proofs(shapes: dict[str, Shape], rows: Sequence[int], draws: int, rng: Rng) -> Cells:
    """The share of samples whose bound is above -margin."""
    found: Cells = {}
    for name, shape in shapes.items():
        for n in rows:
            print(f"{name}, {n} rows ...", file=sys.stderr)
            samples = [drawn(shape, n, rng) for _ in range(draws)]
            found[name, n] = [
                sum(bound(x, ALPHA, rng) > -MARGIN + _TINY for x in samples) / draws
                for bound in BOUNDS.values()
            ]
    return found


def coverage(shapes: dict[str, Shape], draws: int, rng: Rng) -> tuple[Cells, Cells]:
    """The share of two-sided intervals that hold the true mean, and how wide they are."""
    held: Cells = {}
    widths: Cells = {}
    for name, shape in shapes.items():
        truth = true_mean(shape)
        for n in SCORE_ROWS:
            print(f"{name}, {n} rows ...", file=sys.stderr)
            samples = [drawn(shape, n, rng) for _ in range(draws)]
            ends = [[_interval(key, x, rng) for x in samples] for key in BOUNDS]
            held[name, n] = [
                sum(low - _TINY <= truth <= high + _TINY for low, high in each) / draws
                for each in ends
            ]
            widths[name, n] = [sum(high - low for low, high in each) / draws for each in ends]
    return held, widths


def _interval(key: str, x: Floats, rng: Rng) -> tuple[float, float]:
    """Two-sided at 95 %, within [0, 1]. Scores are stretched to the range that the bounds are made for."""
    if key == "ours":
        seed = int(rng.integers(1 << 31))
        return mean_interval(x.tolist(), confidence=0.95, resamples=RESAMPLES, seed=seed)
    stretched = 2 * x - 1
    low = BOUNDS[key](stretched, 0.025, rng)
    high = -BOUNDS[key](-stretched, 0.025, rng)
    return max(0.0, (low + 1) / 2), min(1.0, (high + 1) / 2)


def shown(title: str, cells: Cells) -> str:
    """A table of percentages."""
    lines = [
        (name, str(n), *(f"{100 * value:.1f}" for value in values))
        for (name, n), values in cells.items()
    ]
    return f"\n{title}\n" + table(("shape", "rows", *BOUNDS), lines)


def _resampled(x: Floats, rng: Rng) -> Floats:
    return x[rng.integers(0, x.size, size=(RESAMPLES, x.size))]


if __name__ == "__main__":
    sys.exit(main())
