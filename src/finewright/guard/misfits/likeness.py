"""Texts as vectors whose products say how alike they are: their words and pairs of words, and what these
mean by static embeddings. Words of a script without spaces are its signs."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log

import numpy as np
from numpy.typing import NDArray

from finewright.guard.words import UNSPACED
from finewright.rag.embed import words

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts -> (n, dimensions), of length 1: what the texts mean, by a language model."""

_MOST_GRAMS = 8192
_MOST_READ = 2000
# The parts of `card_lost` are words too, and signs are: of code and of forms.
_WORD = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+|[^\\w\\s]|_")
_TINY = 1e-9
# How fast likeness of meaning falls, and its part beside the words; chosen on five sets of labels.
_STEEPNESS, _PART = 2.0, 4.0


def vectors(texts: Sequence[str]) -> Floats:
    """(n, words + 256): the words by their rarity, to length 1, beside the embedding, to length 1.

    Of the words and pairs that two texts or more have, the 8,192 most frequent; of a text, the first 2,000
    characters. What all texts share is taken out of the embeddings."""
    read = [text[:_MOST_READ] for text in texts]
    meant = words.load().documents(read).astype(np.float64)
    return np.hstack([_worded(read), unit(meant - meant.mean(axis=0))])


def of_words(texts: Sequence[str]) -> Floats:
    """(n, n): how alike the texts are by their words."""
    rows = vectors(texts)
    kernel: Floats = rows @ rows.T + 1.0
    return kernel


def of_meaning(texts: Sequence[str], embed: Embed) -> Floats:
    """(n, n): how alike the texts are by what they mean, exp(2 (cos - 1)), which texts of one intent share
    whatever their words (a kernel of Gauss on the sphere), as a part beside the words."""
    meant = embed([text[:_MOST_READ] for text in texts]).astype(np.float64)
    meant = unit(meant - meant.mean(axis=0))
    kernel: Floats = _PART * np.exp(_STEEPNESS * (meant @ meant.T - 1.0))
    return kernel


def unit(rows: Floats) -> Floats:
    """Each row divided by its length; a row of zeros stays one."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.maximum(length, _TINY)
    return scaled


def _worded(texts: Sequence[str]) -> Floats:
    """(n, words): (1 + ln count) ln(1 + n / texts with the gram), to length 1 (Salton & Buckley 1988)."""
    found = [Counter(_grams(text)) for text in texts]
    spread = Counter(gram for counts in found for gram in counts)
    known = {gram: at for at, (gram, num) in enumerate(spread.most_common(_MOST_GRAMS)) if num > 1}
    weights = np.zeros((len(texts), len(known)))
    for i, counts in enumerate(found):
        for gram, num in counts.items():
            if gram in known:
                rarity = log(1 + len(texts) / spread[gram])
                weights[i, known[gram]] = (1 + log(num)) * rarity
    return unit(weights)


def _grams(text: str) -> list[str]:
    own = _WORD.findall(text.lower())
    return own + [f"{a} {b}" for a, b in pairwise(own)]
