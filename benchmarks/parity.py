"""False proofs of parity, and how often a score's interval holds the truth: ours beside nine others.

    pip install scipy
    python benchmarks/parity.py                      # choose: the shapes that chose the bound, 3 minutes
    python benchmarks/parity.py --report --bars      # the shapes that chose nothing, and the bars

A model whose true mean loss is exactly the margin (5 points) is proved as good in more than 5 % of draws
only by a bound that is too lenient. What differs between the shapes is who loses: few rows all, many a
little, or a mixture. Power is the share of proofs where the two models are equal. Scores: two-sided 95 %
intervals on 20 to 200 rows. The shapes of `--report` were written down after the bound was chosen, or were
not looked at before it. Every cell is of `--draws` samples (at 1000 its standard error is 0.7 points).

Tried: percentile bootstrap and BCa (Efron 1979, 1987), bootstrap-t (Hall 1988), Student, Johnson's skew-
corrected t (1978), Hall's transformation (1992), betting with a grid of stakes (Waudby-Smith & Ramdas 2024),
empirical Bernstein (Maurer & Pontil 2009), Gaffke's with half an extra row, and ours, Gaffke's (2005).
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from finewright.judge.bounds import mean_at_least
from finewright.judge.statistics import mean_interval
from finewright.report.text import table

Floats = NDArray[np.float64]
Rng = np.random.Generator
Bound = Callable[[Floats, float, Rng], float]
"""A one-sided lower bound of a mean of values in [-1, 1], at 1 - alpha."""

MARGIN, ALPHA, RESAMPLES = 0.05, 0.05, 1000
PARITY_ROWS, SCORE_ROWS, POWER_ROWS = (50, 100, 200), (20, 60, 200), (60, 100, 200, 400)
FALSE_PROOFS_AT_MOST, COVERED_AT_LEAST = 0.06, 0.94
_TINY, _FLAT = 1e-12, 1e-9


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
    "few lose all": (at(0.05, -1), at(0.95, 0)),
    "one in ten loses half": (at(0.1, -0.5), at(0.9, 0)),
    "0/1, many differ": (at(0.15, -1), at(0.1, 1), at(0.75, 0)),
    "Beta(0.1, 1.9)": (Part(1, beta=(0.1, 1.9), sign=-1),),
    "few all, many a little": (at(0.03, -1), Part(0.5, -0.08, 0), at(0.47, 0)),
    "all a little": (Part(1, beta=(2, 38), sign=-1),),
    "few lose all, some win": (at(0.07, -1), at(0.02, 1), at(0.91, 0)),
    "few all, many win a little": (at(0.08, -1), at(0.6, 0.05), at(0.32, 0)),
    "tied at 0, a fifth to half": (Part(0.2, -0.5, 0), at(0.8, 0)),
    "even noise": (Part(1, -0.35, 0.25),),
    "few win all, many lose": (at(0.02, 1), at(0.7, -0.1), at(0.28, 0)),
}
UNTOUCHED_LOSSES: dict[str, Shape] = {
    "Beta(0.3, 2.7), half": (Part(0.5, beta=(0.3, 2.7), sign=-1), at(0.5, 0)),
    "one in 25 all, one in 10 a tenth": (at(0.04, -1), at(0.1, -0.1), at(0.86, 0)),
    "halves lost and won": (at(0.2, -0.5), at(0.1, 0.5), at(0.7, 0)),
    "few all, a tenth Beta(1, 19)": (at(0.045, -1), Part(0.1, beta=(1, 19), sign=-1), at(0.855, 0)),
    "a tenth, evenly to all": (Part(0.1, -1, 0), at(0.9, 0)),
    "a tenth all, half win a tenth": (at(0.1, -1), at(0.5, 0.1), at(0.4, 0)),
    "Beta(0.5, 9.5)": (Part(1, beta=(0.5, 9.5), sign=-1),),
}
SCORES: dict[str, Shape] = {
    "near 1, few 0": (Part(0.95, beta=(30, 1)), at(0.05, 0)),
    "0 or even": (at(0.85, 0), Part(0.15, 0, 1)),
    "Beta(5, 0.5)": (Part(1, beta=(5, 0.5)),),
    "even": (Part(1, 0, 1),),
    "most 1, few 0, few between": (at(0.9, 1), at(0.05, 0), Part(0.05, beta=(2, 2))),
    "1 or half": (at(0.85, 1), at(0.15, 0.5)),
    "Beta(0.2, 2)": (Part(1, beta=(0.2, 2)),),
    "reciprocal ranks": (at(0.6, 1), at(0.2, 0.5), at(0.1, 1 / 3), at(0.1, 0)),
    "0, 1 or even": (at(0.4, 0), at(0.4, 1), Part(0.2, 0, 1)),
    "0.9 of 0/1 (Wilson)": (at(0.9, 1), at(0.1, 0)),
}
UNTOUCHED_SCORES: dict[str, Shape] = {
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


def bca(x: Floats, alpha: float, rng: Rng) -> float:
    """Bias-corrected and accelerated."""
    gaps = x - x.mean()
    spread = float((gaps**2).sum())
    if spread < _TINY:
        return float(x.mean())
    means = _resampled(x, rng).mean(axis=1)
    below = float((means < x.mean()).mean() + (means == x.mean()).mean() / 2)
    normal = NormalDist()
    bias = normal.inv_cdf(min(max(below, 1 / RESAMPLES), 1 - 1 / RESAMPLES))
    acceleration = float((gaps**3).sum()) / (6 * spread**1.5)
    z = bias + normal.inv_cdf(alpha)
    return float(np.quantile(means, normal.cdf(bias + z / (1 - acceleration * z))))


def bootstrap_t(x: Floats, alpha: float, rng: Rng) -> float:
    """Quantiles of the studentised mean; no lower than -1."""
    resampled = _resampled(x, rng)
    t = (resampled.mean(axis=1) - x.mean()) / np.maximum(resampled.std(axis=1), _FLAT)
    return max(-1.0, float(x.mean() - np.quantile(t, 1 - alpha) * x.std()))


def student(x: Floats, alpha: float, _: Rng) -> float:
    """Student's t."""
    return float(x.mean() + student_t.ppf(alpha, x.size - 1) * x.std(ddof=1) / x.size**0.5)


def johnson(x: Floats, alpha: float, rng: Rng) -> float:
    """Student's, moved by the third moment m3: m3 / (6 s^2 n) + m3 t^2 / (3 s^2 n)."""
    spread = max(float(x.var(ddof=1)), _TINY)
    m3 = float(((x - x.mean()) ** 3).mean())
    t = float(student_t.ppf(alpha, x.size - 1))
    return student(x, alpha, rng) + m3 / (spread * x.size) * (1 / 6 + t * t / 3)


def hall(x: Floats, alpha: float, _: Rng) -> float:
    """Hall's cubic transformation of the studentised mean, inverted."""
    spread = max(float(x.std()), _FLAT)
    skew = float(((x - x.mean()) ** 3).mean()) / spread**3
    y = NormalDist().inv_cdf(1 - alpha) / x.size**0.5 - skew / (6 * x.size)
    k = skew / 3
    moved = y if abs(k) < _FLAT else (float(np.cbrt(1 + 3 * k * y)) - 1) / k
    return float(x.mean() - spread * moved)


def betting(x: Floats, alpha: float, _: Rng) -> float:
    """The highest mean that a gambler with a grid of stakes makes a fortune of 1 / alpha against."""
    unit = (x + 1) / 2
    stakes = np.linspace(0.02, 0.98, 33)[:, None]
    low, high = 0.0, float(unit.mean())
    for _round in range(14):
        middle = (low + high) / 2
        fortune = np.log1p(stakes / max(middle, _TINY) * (unit - middle)[None]).sum(axis=1)
        if np.exp(np.minimum(fortune, 700)).mean() >= 1 / alpha:
            low = middle
        else:
            high = middle
    return 2 * low - 1


def bernstein(x: Floats, alpha: float, _: Rng) -> float:
    """Maurer and Pontil's empirical Bernstein bound, for a range of 2."""
    log = math.log(2 / alpha)
    wide = math.sqrt(2 * float(x.var(ddof=1)) * log / x.size)
    return float(x.mean()) - wide - 14 * log / (3 * (x.size - 1))


def half_gaffke(x: Floats, alpha: float, rng: Rng) -> float:
    """Gaffke's with half a row more, as Jeffreys' interval has it for shares."""
    found, counts = np.unique(x, return_counts=True)
    weights = rng.standard_gamma([*counts, 0.5], size=(RESAMPLES, found.size + 1))
    return float(np.quantile(weights @ np.append(found, -1.0) / weights.sum(axis=1), alpha))


def ours(x: Floats, alpha: float, rng: Rng) -> float:
    """What finewright uses."""
    return mean_at_least(x, floor=-1.0, confidence=1 - alpha, draws=RESAMPLES, rng=rng)


BOUNDS: dict[str, Bound] = {
    "percentile": percentile,
    "BCa": bca,
    "boot-t": bootstrap_t,
    "Student": student,
    "Johnson": johnson,
    "Hall": hall,
    "betting": betting,
    "Bernstein": bernstein,
    "half": half_gaffke,
    "ours": ours,
}


def main() -> None:
    options = parse()
    rng = np.random.default_rng(options.seed)
    losses = UNTOUCHED_LOSSES if options.report else LOSSES
    scores = UNTOUCHED_SCORES if options.report else SCORES
    false = proofs(losses, PARITY_ROWS, options.draws, rng)
    print(shown("False proofs, % (nominal 5)", false))
    print(shown("Power, % of proofs where the models are equal", powers(options.draws, rng)))
    covered, widths = coverage(scores, options.draws, rng)
    print(shown("Intervals of scores that hold the truth, % (nominal 95)", covered))
    print(shown("Their width, points", widths))
    if options.bars and not bars(false, covered, options.draws):
        sys.exit(1)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="samples of each cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", action="store_true", help="the shapes that chose nothing")
    parser.add_argument("--bars", action="store_true", help="end with 1 where a bar is missed")
    return parser.parse_args()


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


def powers(draws: int, rng: Rng) -> Cells:
    """The same where nothing is lost in truth."""
    return proofs(EQUAL, POWER_ROWS, max(1, draws // 4), rng)


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


def bars(false: Cells, covered: Cells, draws: int) -> bool:
    """Is every bar held? A cell may miss it by two standard errors of its own."""
    place = list(BOUNDS).index("ours")
    noise = 2 * math.sqrt(0.05 * 0.95 / draws)
    most = max(values[place] for values in false.values())
    least = min(values[place] for values in covered.values())
    held = (most <= FALSE_PROOFS_AT_MOST + noise, least >= COVERED_AT_LEAST - noise)
    for passed, told in zip(
        held,
        (
            f"false proofs at most {100 * FALSE_PROOFS_AT_MOST:.0f} %: {100 * most:.1f}",
            f"coverage at least {100 * COVERED_AT_LEAST:.0f} %: {100 * least:.1f}",
        ),
        strict=True,
    ):
        print(f"{'held' if passed else 'MISSED'}: {told} (noise {100 * noise:.1f})")
    return all(held)


def _resampled(x: Floats, rng: Rng) -> Floats:
    return x[rng.integers(0, x.size, size=(RESAMPLES, x.size))]


if __name__ == "__main__":
    main()
