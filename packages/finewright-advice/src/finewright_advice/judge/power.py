"""How many rows show a difference between two systems, and which difference so many rows show."""

import math

DIFFERENCE = 0.05
DISCORDANT = 0.2
"""The share of rows on which two systems are taken to differ, where nobody has measured it."""
_ALPHA_QUANTILE = 1.959964
_POWER_QUANTILE = 0.841621


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
