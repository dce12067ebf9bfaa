"""Labels that the words of their rows speak against, by what the other rows teach."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finewright.guard.misfits.left_out import regressions
from finewright.guard.misfits.likeness import vectors
from finewright.guard.misfits.odds import Odds, fitted


class Labelling(NamedTuple):
    """The odds of the texts' labels, and the label that the other rows give each text."""

    odds: Odds
    likeliest: tuple[str, ...]


def labelling(texts: Sequence[str], labels: Sequence[str]) -> Labelling:
    """How likely each label is, with its row left out. At least two labels.

    The work grows with the cube of the rows."""
    names = sorted(set(labels))
    own = np.array([names.index(label) for label in labels])
    rows = vectors(texts)
    found = regressions(rows @ rows.T + 1.0, np.eye(len(names))[own])
    odds = fitted((regression.without_each() for regression in found), own)
    return Labelling(odds, tuple(names[i] for i in odds.chances.argmax(axis=1).tolist()))
