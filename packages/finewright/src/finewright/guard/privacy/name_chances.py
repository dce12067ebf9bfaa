"""How likely each capitalised word of a text is part of a name: two logistic regressions of our own.

The first weighs what a word is and what stands around it (`name_features`), the second what the first says
of the word with what it says of its neighbours and of the same word elsewhere in the text."""

import json
import lzma
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from finewright.guard.privacy.name_features import SplitWords, around, features

# What `beside` says of a word, in its order.
NEIGHBOURS = ("own", "before", "after", "before own after", "elsewhere")
_STEPS, _MOST = 2, 8  # scores are told apart in halves, from -4 to 4


class NameWeights(NamedTuple):
    """What a regression learned: a table of weights for each template, and what is there without any."""

    bias: float
    tables: Sequence[Mapping[str, float]]

    def score(self, found: Sequence[str]) -> float:
        """The logarithm of the odds of a word of which the templates say this."""
        tables = zip(self.tables, found, strict=True)
        return self.bias + sum([table[value] for table, value in tables if value in table])


def chances(words: SplitWords) -> dict[int, float]:
    """Place of each capitalised word -> how likely it is part of a name."""
    capital = [at for at, kind in words.kinds.items() if kind[0] == "A"]
    if not capital:
        return {}
    first, second = _weights()
    text = around(words)
    scores = {at: first.score(features(words, at, text)) for at in capital}
    said = beside(words, scores)
    return {at: _probability(second.score(row)) for at, row in zip(capital, said, strict=True)}


def beside(words: SplitWords, scores: Mapping[int, float]) -> list[tuple[str, ...]]:
    """Of each word what the scores say of it, of the words beside it and of the same word elsewhere."""
    steps = {at: _step(score) for at, score in scores.items()}
    best = _best_of_repeated(words, scores)
    found: list[tuple[str, ...]] = []
    for at, own in steps.items():
        before = steps.get(at - 1, "")
        if before and words.end(at - 1) + 1 != words.starts[at]:
            before = ""
        after = steps.get(at + 1, "")
        if after and words.end(at) + 1 != words.starts[at + 1]:
            after = ""
        elsewhere = ""
        if words.texts[at] in best:
            first, second = best[words.texts[at]]
            elsewhere = _step(second if scores[at] == first else first)
        found.append((own, before, after, f"{before}|{own}|{after}", elsewhere))
    return found


def _best_of_repeated(
    words: SplitWords, scores: Mapping[int, float]
) -> dict[str, tuple[float, float]]:
    """The two best scores of each word that is there more than once."""
    best: dict[str, tuple[float, float]] = {}
    for at, score in scores.items():
        first, second = best.get(words.texts[at], (-math.inf, -math.inf))
        best[words.texts[at]] = (max(first, score), max(second, min(first, score)))
    return {word: two for word, two in best.items() if two[1] > -math.inf}


def _step(score: float) -> str:
    return str(max(-_MOST, min(_MOST, round(score * _STEPS))))


def _probability(score: float) -> float:
    return 1 / (1 + math.exp(-score))


@cache
def _weights() -> tuple[NameWeights, NameWeights]:
    path = files("finewright.guard.privacy") / "lists" / "name_weights.json.xz"
    first, second = json.loads(lzma.decompress(path.read_bytes()))
    return _read(first), _read(second)


def _read(data: Mapping[str, Any]) -> NameWeights:  # Any: our own JSON
    return NameWeights(data["bias"], tuple(data["weights"].values()))
