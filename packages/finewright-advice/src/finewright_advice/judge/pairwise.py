"""All systems against each other on a criterion of solved or not: exact tests, corrected for their number."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from finewright.judge.statistics import holm, mcnemar


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
