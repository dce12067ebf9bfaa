"""Labels that the words of their rows speak against, by what the other rows teach."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from finewright.lm.embedders.meaning import Embed
from finewright_trust.misfits.folds import by_the_others
from finewright_trust.misfits.left_out import Regression, regressions
from finewright_trust.misfits.likeness import Ints, of_meaning, of_words
from finewright_trust.misfits.odds import Odds, fitted

# `AddToPlaylist`, `card_lost`: where a name of several words is cut.
_CUT = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
# Chosen on the fourth and fifth 1,000 rows of BANKING77, HWU64, SNIPS, CLINC150 and AG News.
_DIMENSIONS = 300
_RIDGES = (1.0, 0.3)


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


def taught(texts: Sequence[str], labels: Sequence[str]) -> Taught:
    """What texts teach of labels by their words.

    The name of a label is one more text that has it: it says what a label of few rows means. At least two
    labels. The work grows with the cube of the rows."""
    names = sorted(set(labels))
    own = np.array([names.index(label) for label in labels])
    targets = np.eye(len(names))[[*own, *range(len(names))]]
    best = min(regressions(of_words(_with_names(texts, names)), targets), key=_error)
    left_out = best.without_each()[: len(own)]
    accuracy = float(np.mean(left_out.argmax(axis=1) == own))
    return Taught(tuple(names), own, best, accuracy)


def best_regression(known: Taught, texts: Sequence[str], embed: Embed | None) -> Regression:
    """By words alone, or also by the embedder's meaning of the texts, whichever tells more."""
    words = known.regression
    if embed is None:
        return words
    kernel = words.kernel + of_meaning(_with_names(texts, known.names), embed)
    return min([words, *regressions(kernel, words.targets)], key=_error)


def _with_names(texts: Sequence[str], names: Iterable[str]) -> list[str]:
    return [*texts, *(_CUT.sub(" ", name).strip() for name in names)]


def _error(regression: Regression) -> float:
    return float(np.square(regression.targets - regression.without_each()).mean())


def labelling(known: Taught, texts: Sequence[str], embed: Embed | None = None) -> Labelling:
    """How likely each label of the texts is by the rows of the other folds."""
    features = best_regression(known, texts, embed).features(_DIMENSIONS)
    scores = by_the_others(features, known.own, len(known.names), _RIDGES)
    odds = fitted(scores, known.own, unusual=0.0)
    return Labelling(odds, tuple(known.names[i] for i in odds.chances.argmax(axis=1).tolist()))
