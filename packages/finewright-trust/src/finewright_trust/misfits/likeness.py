"""Texts as vectors whose products say how alike they are: their words and pairs of words, and what these
mean by static embeddings. Words of a script without spaces are its signs.

What the other rows predict of a row: ridge regression with the row, or a group of rows, left out.

With A = K + ridge I and alpha = A^-1 Y, the prediction for row i of the regression that never saw it is
Y_i - alpha_i / (A^-1)_ii, and for a group G, Y_G - (A^-1_GG)^-1 alpha_G: exact, with one inversion for all
rows (Rifkin & Lippert 2007, Notes on Regularized Least Squares)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.words import UNSPACED
from finewright.lm import static_words
from finewright.lm.embedders.meaning import Embed

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

_MOST_GRAMS = 8192
_MOST_READ = 2000
# The parts of `card_lost` are words too, and signs are: of code and of forms.
_WORD = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+|[^\\w\\s]|_")
_TINY = 1e-9
# How fast likeness of meaning falls, and its part beside the words; chosen on five sets of labels.
_STEEPNESS, _PART = 2.0, 4.0


def vectors(texts: Sequence[str]) -> Singles:
    """(n, words + 256): the words by their rarity, to length 1, beside the embedding, to length 1.

    Of the words and pairs that two texts or more have, the 8,192 most frequent; of a text, the first 2,000
    characters. What all texts share is taken out of the embeddings."""
    read = [text[:_MOST_READ] for text in texts]
    meant = static_words.load().documents(read).astype(np.float64)
    counted = _count_words(read)
    rows = np.zeros((len(read), counted.num_grams + meant.shape[1]), np.float32)
    rows[counted.text, counted.gram] = _weights(counted, len(read))
    rows[:, counted.num_grams :] = unit(meant - meant.mean(axis=0))
    return rows


def of_words(texts: Sequence[str]) -> Floats:
    """(n, n): how alike the texts are by their words."""
    rows = vectors(texts)
    return products(rows, rows) + 1.0


def products(rows: Singles, others: Singles) -> Floats:
    """(n, m): of each of n rows with each of m others."""
    return (rows @ others.T).astype(np.float64)


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


class _Counted(NamedTuple):
    """How often a text has a gram (`num`), for each pair of them, and in how many texts each of these
    stands (`spread`, num_grams)."""

    text: Ints
    gram: Ints
    num: Ints
    spread: Ints

    @property
    def num_grams(self) -> int:
        return len(self.spread)


def _count_words(texts: Sequence[str]) -> _Counted:
    """The words and the pairs of words that follow each other, of which two texts or more have any."""
    found = [_WORD.findall(text.lower()) for text in texts]
    numbers: dict[str, int] = {}
    own = np.fromiter((numbers.setdefault(w, len(numbers)) for f in found for w in f), np.int64)
    text = np.repeat(np.arange(len(found)), [len(f) for f in found])
    follows = text[1:] == text[:-1]
    pairs = len(numbers) * (1 + own[:-1][follows]) + own[1:][follows]
    _, grams = np.unique(np.concatenate([own, pairs]), return_inverse=True)
    num_grams = int(grams.max(initial=-1)) + 1
    places = np.concatenate([text, text[:-1][follows]]) * num_grams + grams
    pairs, num = np.unique(places, return_counts=True)
    text, gram = np.divmod(pairs, max(1, num_grams))
    spread = np.bincount(gram, minlength=num_grams)
    often = np.argsort(-spread, kind="stable")[:_MOST_GRAMS]
    often = often[spread[often] > 1]
    place = np.full(num_grams, -1)
    place[often] = np.arange(len(often))
    kept = place[gram] >= 0
    return _Counted(text[kept], place[gram[kept]], num[kept], spread[often])


def _weights(counted: _Counted, num_texts: int) -> Floats:
    """(1 + ln count) ln(1 + n / texts with the gram), each text to length 1 (Salton & Buckley 1988)."""
    rarity = np.log(1 + num_texts / counted.spread)
    weights = (1 + np.log(counted.num)) * rarity[counted.gram]
    length = np.sqrt(np.bincount(counted.text, weights**2, num_texts))
    own: Floats = weights / length[counted.text]
    return own


_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Regression:
    """Rows whose products are V diag(values) V^T, V the `vectors` (n, n), the greatest of the `values` (n)
    last, fitted to `targets` (n, K) with a ridge. `turned` is V^T Y (n, K)."""

    vectors: Floats
    values: Floats
    ridge: float
    targets: Floats
    turned: Floats

    @property
    def scale(self) -> Floats:
        """(n): A^-1 = V diag(scale) V^T."""
        return 1 / (self.values + self.ridge)

    @property
    def kernel(self) -> Floats:
        """(n, n): the products of the rows."""
        products: Floats = (self.vectors * self.values) @ self.vectors.T
        return products

    def without_each(self) -> Floats:
        """(n, K): each row's prediction by all other rows."""
        scale = self.scale
        weights = self.vectors @ (scale[:, None] * self.turned)
        left: Floats = self.targets - weights / (self.vectors**2 @ scale)[:, None]
        return left

    def without(self, group: Sequence[int]) -> Floats:
        """(len(group), K): the predictions by the rows outside the group."""
        own = self.vectors[group] * self.scale
        left: Floats = self.targets[group] - np.linalg.solve(
            own @ self.vectors[group].T, own @ self.turned
        )
        return left

    def features(self, most: int) -> Floats:
        """(n, up to `most`): the rows in the directions in which they differ most; their products are those
        of the rows, nearly (principal components of the kernel)."""
        return self.vectors[:, -most:] * np.sqrt(self.values[-most:])


def regressions(kernel: Floats, targets: Floats) -> Iterator[Regression]:
    """One for each of six ridges, the weakest first."""
    found, vectors = np.linalg.eigh(kernel)
    values: Floats = np.maximum(found, 0)
    turned = vectors.T @ targets
    for ridge in _RIDGES:
        yield Regression(vectors, values, ridge, targets, turned)
