"""All systems against each other on a criterion of solved or not: exact tests, corrected for their number.

How many rows show a difference between two systems, and which difference so many rows show."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from finewright.judge.statistics import holm, mcnemar

DIFFERENCE = 0.05


DISCORDANT = 0.2
"""The share of rows on which two systems are taken to differ, where nobody has measured it."""


_ALPHA_QUANTILE = 1.959964


_POWER_QUANTILE = 0.841621


class Pair(NamedTuple):
    """Two systems on the same rows: what only one of them solved, and the p-values of "no difference"."""

    system: str
    against: str
    won: int
    lost: int
    p_value: float
    p_holm: float


def pairwise(solved: Mapping[str, Sequence[bool]]) -> list[Pair]:
    """Every pair of systems, the later against the earlier, as `mcnemar` tests them.

    The p-values are also given as Holm corrects them, so that the chance of any false claim among all pairs
    is at most the level. Raises ValueError where two systems did not answer the same number of rows."""
    names = [(later, earlier) for earlier, later in combinations(solved, 2)]
    counts = [_only(solved[system], solved[against]) for system, against in names]
    p_values = [mcnemar(won, lost) for won, lost in counts]
    rows = zip(names, counts, p_values, holm(p_values), strict=True)
    return [Pair(*both, *count, p, corrected) for both, count, p, corrected in rows]


def _only(ours: Sequence[bool], theirs: Sequence[bool]) -> tuple[int, int]:
    """How many rows we alone solved, and they alone."""
    pairs = list(zip(ours, theirs, strict=True))
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)


def rows_needed(difference: float, discordant: float) -> int:
    """Pairs of answers that show a difference with 80 % power at the 5 % level, by McNemar's test.

    Connor 1987: n = (z_a sqrt(p) + z_b sqrt(p - d^2))^2 / d^2, p the share of rows on which two systems
    differ, d the difference."""
    spread = _ALPHA_QUANTILE * math.sqrt(discordant)
    spread += _POWER_QUANTILE * math.sqrt(discordant - difference**2)
    return math.ceil(spread**2 / difference**2)


def detectable(rows: int, discordant: float) -> float | None:
    """The least difference for which `rows_needed` asks no more than `rows`; None where even a difference
    on every discordant row needs more."""
    if rows < 1 or rows_needed(discordant, discordant) > rows:
        return None
    low, high = 0.0, discordant
    for _ in range(50):
        middle = (low + high) / 2
        if rows_needed(middle, discordant) > rows:
            low = middle
        else:
            high = middle
    return high
