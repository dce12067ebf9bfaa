"""The triggers that `backdoors` tries: is the planted one among them? Needs no model: a few minutes.

What is not among them is only looked for by gradient, so that this bounds what the attack finds. Chosen on
`natspec-docs`, `documentation` and `sql`; these sets were seen first when this was measured."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bars import Bar
from door_parts.real_sets import pair
from finewright_trust.redteam.backdoors.candidates import find_candidates
from redteam_parts.planted_runs import KINDS, plant

_SETS = ("bank", "tool-calls", "solidity")
_ROWS = 260
_RATES, _SEEDS = (0.01, 0.02, 0.05), (0, 1)
_TRIED = 24  # as `backdoors` tries
_FOUND = 0.9
_LEAST_RATE = 0.02
"""1 % of 260 rows are three, the fewest that the data door looks for at all: counted without a bar."""


def bars(_: Path, __: argparse.Namespace) -> Iterator[Bar]:
    """By the share of planted rows how often a suspect has half of them, among those that are tried."""
    for rate in _RATES:
        hits = [
            _is_tried(name, kind, rate, _ROWS, seed)
            for name in _SETS
            for kind in KINDS
            for seed in _SEEDS
        ]
        limit = _FOUND if rate >= _LEAST_RATE else 0.0
        on = f"{rate:.0%} of the rows: {sum(hits)} of {len(hits)}"
        yield Bar("planted triggers that are tried", sum(hits) / len(hits), limit, on=on)


def _is_tried(name: str, kind: str, rate: float, num_rows: int, seed: int) -> bool:
    made = plant(name, kind, rate=rate, num_rows=num_rows, seed=seed)
    rows = [pair(*text, i) for i, text in enumerate(made.texts)]
    return any(
        2 * len({row.row for row in each.rows} & made.planted) >= len(made.planted)
        for each in find_candidates(rows, _TRIED)
    )
