"""Labels that the words of their rows speak against, by what the other rows teach."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finewright.guard.misfits.left_out import Regression, regressions
from finewright.guard.misfits.likeness import Embed, Floats, kernels
from finewright.guard.misfits.odds import Ints, Odds, fitted

# `AddToPlaylist`, `card_lost`: where a name of several words is cut.
_CUT = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


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


def labelling(texts: Sequence[str], labels: Sequence[str], embed: Embed | None = None) -> Labelling:
    """How likely each label is, with its row left out. At least two labels.

    The name of a label is one more text that has it: it says what a label of few rows means. By words alone
    and by the embedder's meaning: the odds weigh both by how well they tell the labels.
    The work grows with the cube of the rows."""
    names = sorted(set(labels))
    own = np.array([names.index(label) for label in labels])
    read = [*texts, *(_CUT.sub(" ", name).strip() for name in names)]
    targets = np.eye(len(names))[[*own, *range(len(names))]]
    found = [one for kernel in kernels(read, embed) for one in regressions(kernel, targets)]
    odds = fitted((_of_rows(regression, len(own)) for regression in found), own)
    likeliest = tuple(names[i] for i in odds.chances.argmax(axis=1).tolist())
    return Labelling(odds, likeliest, own, found[odds.best])


def _of_rows(regression: Regression, num: int) -> Floats:
    """(num, K): the predictions of the rows, without those of the names."""
    return regression.without_each()[:num]
