"""MinHash signatures over pairs of neighbouring words, and the bands that make near rows meet.

Broder 1997, "On the resemblance and containment of documents": under a random order of all features,
the chance that two sets have the same smallest one is their Jaccard similarity J. With b bands of r such
smallest ones each, two rows meet in a band with chance 1 - (1 - J^r)^b (Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", chapter 3; for language-model data Lee et al. 2022, "Deduplicating training
data makes language models better").

The features are word bigrams. Where a share k of a row's words is replaced at random places, about
(1 - k)^2 of its bigrams remain, so J = q / (2 - q) with q = (1 - k)^2: 0.57 at k = 0.15. Single words
would leave J higher, and the J of unrelated rows as well; five-word shingles, the usual choice for web
pages, leave J = 0.29 at k = 0.15 and lose edited rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.words import PLAIN, RowWords, mix_bits, uncapital

NUM_HASHES = 128
_SEED = 1997
_MEETS = 0.95


class Bands(NamedTuple):
    """How a signature is cut: `number` bands of `size` smallest hashes each."""

    number: int
    size: int

    def chance(self, jaccard: float) -> float:
        """That two rows of this Jaccard similarity meet in a band at least once."""
        return float(1 - (1 - jaccard**self.size) ** self.number)


def bigram_jaccard(similarity: float) -> float:
    """The Jaccard similarity of the bigrams of rows that share `similarity` of their words."""
    remaining = similarity**2
    return remaining / (2 - remaining)


def bands_for(similarity: float) -> Bands:
    """The longest bands in which a pair, a quarter of the way from the bar to equal, meets with 0.95.

    Long bands let fewer unlike rows meet. At 0.8: 32 bands of 4, that meet with 0.97 at 0.85, with
    0.80 at the bar itself and with 0.00003 where one bigram in 30 is shared."""
    jaccard = bigram_jaccard(similarity + (1 - similarity) / 4)
    fitting = [Bands(NUM_HASHES // size, size) for size in range(1, NUM_HASHES + 1)]
    reliable = [bands for bands in fitting if bands.chance(jaccard) >= _MEETS]
    return max(reliable, key=lambda bands: bands.size, default=fitting[0])


def signatures(rows: RowWords) -> NDArray[np.uint32]:
    """For each row the smallest value of each hash over its bigrams: an array hashes x rows.

    The hashes are x -> a x + b modulo 2^32 with odd a, of features that are mixed before."""
    num_rows = len(rows)
    out = np.empty((NUM_HASHES, num_rows), np.uint32)
    if not num_rows:
        return out
    grams, starts = bigrams(rows)
    draws = np.random.default_rng(_SEED).integers(0, 2**32, (2, NUM_HASHES), dtype=np.uint64)
    factors, shifts = (draws[0] | np.uint64(1)).astype(np.uint32), draws[1].astype(np.uint32)
    hashed = np.empty_like(grams)
    for i in range(NUM_HASHES):
        np.multiply(grams, factors[i], out=hashed)
        hashed += shifts[i]
        np.minimum.reduceat(hashed, starts, out=out[i])
    return out


class Bigrams(NamedTuple):
    """The hashed bigrams of all rows, one after another, and where each row's begin."""

    grams: NDArray[np.uint32]
    starts: NDArray[np.int64]


def bigrams(rows: RowWords) -> Bigrams:
    """The pairs of neighbouring words; the mark before a part counts as a word, so none is empty."""
    wide = uncapital(rows.words).astype(np.uint64)
    wide[rows.starts[:-1]], wide[rows.answers] = PLAIN
    grams = mix_bits((wide[:-1] << np.uint64(32)) | wide[1:]) >> np.uint64(32)
    # A pair of a row's last word and the next row's first mark is none.
    inside = np.ones(len(grams), bool)
    inside[rows.starts[1:-1] - 1] = False
    starts = rows.starts[:-1] - np.arange(len(rows))
    return Bigrams(grams.astype(np.uint32)[inside], starts)


def band_hashes(part: NDArray[np.uint32], keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of one band's part of the signatures (hashes x rows), a number per row.

    Rows with other `keys` never meet, nor do those whose part differs, but for a chance of 2^-64."""
    hashed = keys.copy()
    for smallest in part:
        hashed = mix_bits(hashed * np.uint64(0x9E3779B97F4A7C15) + smallest.astype(np.uint64))
    return hashed
