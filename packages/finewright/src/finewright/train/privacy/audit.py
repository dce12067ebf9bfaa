"""What an attack proves a training to spend at least: one-run auditing (Steinke, Nasr & Jagielski 2023,
arXiv:2305.08846).

Each canary was among the rows or not, by a fair coin of its own. Whoever guesses r of them from the trained
model and is right v times has shown, by their theorem, that epsilon-differential privacy holds only for an
epsilon with

    P(X >= v) + 2 m delta max_i P(v - i <= X < v) / i  >  1 - confidence

for m canaries and X of Binomial(r, 1 / (1 + e^-epsilon)). The bound is of this attack alone: a low one
proves nothing of others."""

import math
from collections.abc import Sequence

import numpy as np

from finewright.errors import StageError

CONFIDENCE = 0.95
_SHARES = (0.25, 0.5, 1.0)
"""Of the canaries that are guessed, the surest first. Each is a trial of its own (Bonferroni)."""
_MOST_EPSILON = 50.0


def prove_epsilon(
    scores: Sequence[float], among: Sequence[bool], delta: float, confidence: float = CONFIDENCE
) -> float:
    """The epsilon that guesses by these scores (higher: rather among the rows) prove at least; 0 where none.

    `among` says which canaries were. The half with the higher scores is guessed to be, of the surest ones."""
    order = np.argsort(np.asarray(scores, dtype=float), kind="stable")
    truth, count = np.asarray(among, dtype=bool)[order], len(order)
    doubt = (1 - confidence) / len(_SHARES)
    bounds = [0.0]
    for share in _SHARES:
        each = int(share * count / 2)
        right = int(truth[count - each :].sum() + (~truth[:each]).sum())
        bounds.append(lower_bound(count, 2 * each, right, delta, doubt))
    return max(bounds)


def lower_bound(canaries: int, guesses: int, right: int, delta: float, doubt: float) -> float:
    """The largest epsilon that so many right guesses refute but with probability `doubt`; 0 where none."""
    if not guesses or _chance_of(canaries, guesses, right, 0.0, delta) > doubt:
        return 0.0
    low, high = 0.0, _MOST_EPSILON
    while high - low > 1e-4:  # noqa: PLR2004 - digits that are shown
        middle = (low + high) / 2
        refuted = _chance_of(canaries, guesses, right, middle, delta) <= doubt
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _chance_of(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """How likely that many are right at most, under (epsilon, delta)."""
    from scipy.stats import binom

    share = 1 / (1 + math.exp(-epsilon))
    by_luck = float(binom.sf(right - 1, guesses, share))
    if not right:
        return 1.0
    below = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), guesses, share))
    worst = float(np.max(below / np.arange(1, right + 1)))
    return min(1.0, by_luck + 2 * canaries * delta * worst)


def refuse_contradiction(proven: float, spent: float) -> None:
    """Raise StageError where an attack proves more than the accounts say."""
    if proven > spent:
        raise StageError(
            f"an attack with canaries proves an epsilon of at least {proven:.3g}, and the accounts say"
            f" {spent:.3g}: this training is not as private as it claims",
            hint="report it; the adapter must not be released",
        )
