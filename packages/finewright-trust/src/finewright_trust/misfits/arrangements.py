"""Who has whose: of all ways to hand out answers to questions, each answer once, how often one has another.

P(order) ~ exp of the sum of log odds[i, order[i]]. Its marginals are ratios of permanents, for which there
is no quick formula; they are counted over a chain of exchanges of two, each made with the chance that its
odds give it (Metropolis et al. 1953; for permanents Jerrum & Sinclair 1989)."""

import numpy as np

from finewright_trust.misfits.likeness import Floats

_LEAST_STEPS, _MOST_STEPS = 30_000, 300_000
_OF_EACH_PAIR = 20
_NOT_COUNTED = 0.25


def shares(log_odds: Floats) -> Floats:
    """(n, n): how often row i has the answer j, of rows that begin with their own; the same each time.

    Each pair of rows is looked at about 20 times or more, of more than 120 rows less often; the first quarter
    is not counted."""
    num = len(log_odds)
    if num < 2:  # noqa: PLR2004 - one row keeps its answer
        return np.eye(num)
    steps = int(np.clip(_OF_EACH_PAIR * num * num, _LEAST_STEPS, _MOST_STEPS))
    rng = np.random.default_rng(0)
    pairs = rng.integers(num, size=(steps, 2)).tolist()
    luck = np.log(rng.random(steps)).tolist()
    begin = int(_NOT_COUNTED * steps)
    odds: list[list[float]] = log_odds.tolist()
    own, since = list(range(num)), [begin] * num
    counts = np.zeros((num, num))
    for step, ((i, j), least) in enumerate(zip(pairs, luck, strict=True)):
        a, b = own[i], own[j]
        if i != j and odds[i][b] + odds[j][a] - odds[i][a] - odds[j][b] > least:
            own[i], own[j] = b, a
            if step > begin:
                counts[i, a] += step - since[i]
                counts[j, b] += step - since[j]
                since[i] = since[j] = step
    for i, a in enumerate(own):
        counts[i, a] += steps - since[i]
    return counts / (steps - begin)
