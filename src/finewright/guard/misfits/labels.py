"""Labels that the words of their rows speak against, by what the other rows teach."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finewright.guard.misfits.left_out import Regression, regressions
from finewright.guard.misfits.likeness import vectors
from finewright.guard.misfits.odds import Ints, Odds, fitted


class Labelling(NamedTuple):
    """The odds of the texts' labels, the label that the other rows give each text, the numbers of the labels
    that they have, and the regression on all of them that fits these best."""

    odds: Odds
    likeliest: tuple[str, ...]
    own: Ints
    regression: Regression

    @property
    def accuracy(self) -> float:
        """The share of texts that the other rows give the label they have."""
        return float(np.mean(self.odds.chances.argmax(axis=1) == self.own))


def labelling(texts: Sequence[str], labels: Sequence[str]) -> Labelling:
    """How likely each label is, with its row left out. At least two labels.

    The work grows with the cube of the rows."""
    names = sorted(set(labels))
    own = np.array([names.index(label) for label in labels])
    rows = vectors(texts)
    found = list(regressions(rows @ rows.T + 1.0, np.eye(len(names))[own]))
    odds = fitted((regression.without_each() for regression in found), own)
    likeliest = tuple(names[i] for i in odds.chances.argmax(axis=1).tolist())
    return Labelling(odds, likeliest, own, found[odds.best])
