"""Labels that the words of their rows speak against, by what the other rows teach."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from finewright.guard.misfits.folds import by_the_others
from finewright.guard.misfits.left_out import Regression, regressions
from finewright.guard.misfits.likeness import Embed, kernels
from finewright.guard.misfits.odds import Ints, Odds, fitted

# `AddToPlaylist`, `card_lost`: where a name of several words is cut.
_CUT = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
# Chosen on the fourth and fifth 1,000 rows of BANKING77, HWU64, SNIPS, CLINC150 and AG News.
_DIMENSIONS = 300
_RIDGES = (0.3, 1.0)


class Taught(NamedTuple):
    """The names of the labels, the number of each text's own, and the regression on all texts that errs
    least on a text that is left out (PRESS, Allen 1974): it gives `accuracy` of them their own."""

    names: tuple[str, ...]
    own: Ints
    regression: Regression
    accuracy: float


class Labelling(NamedTuple):
    """The odds of the texts' labels, and the label that the other rows give each text."""

    odds: Odds
    likeliest: tuple[str, ...]


def taught(texts: Sequence[str], labels: Sequence[str], embed: Embed | None = None) -> Taught:
    """What texts teach of labels, by words alone or also by the embedder's meaning, whichever tells more.

    The name of a label is one more text that has it: it says what a label of few rows means. At least two
    labels. The work grows with the cube of the rows."""
    names = sorted(set(labels))
    own = np.array([names.index(label) for label in labels])
    read = [*texts, *(_CUT.sub(" ", name).strip() for name in names)]
    targets = np.eye(len(names))[[*own, *range(len(names))]]
    found = (one for kernel in kernels(read, embed) for one in regressions(kernel, targets))
    best = min(found, key=_error)
    left_out = best.without_each()[: len(own)]
    accuracy = float(np.mean(left_out.argmax(axis=1) == own))
    return Taught(tuple(names), own, best, accuracy)


def _error(regression: Regression) -> float:
    return float(np.square(regression.targets - regression.without_each()).mean())


def labelling(known: Taught) -> Labelling:
    """How likely each label is by the rows of the other folds."""
    features = known.regression.features(_DIMENSIONS)
    num = len(known.names)
    scores = [by_the_others(features, known.own, num, ridge) for ridge in _RIDGES]
    odds = fitted(scores, known.own, unusual=0.0)
    return Labelling(odds, tuple(known.names[i] for i in odds.chances.argmax(axis=1).tolist()))
