"""Near-duplicates among rows in memory: MinHash bands suggest pairs, the words decide.

Which measure: see `alike` (share of common words in order) and `minhash` (why bigrams). What was weighed:
`rensa` and `datasketch` make the same signatures; 128 hashes of a row of 160 words take 5 µs here, 12 µs
with rensa's Rust, so a dependency would buy nothing."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.alike import alike
from finewright.guard.duplicates.candidates import Signed, candidates
from finewright.guard.duplicates.exact import repeats
from finewright.guard.duplicates.facts import fact_bits, have_other_bits
from finewright.guard.duplicates.groups import Leaders, Original, leaders
from finewright.guard.duplicates.minhash import Bands, band_hashes, bands_for, signatures
from finewright.guard.duplicates.words import Wording, Wordings, wordings
from finewright.schema.rows import RowParts

_BLOCK = 1 << 16
MOST_KEPT_ROWS = 2_000


class SignedRows:
    """Wordings with their signatures, in memory."""

    def __init__(self, rows: Wordings) -> None:
        self.rows = rows
        # A row is compared with several.
        self._row = lru_cache(MOST_KEPT_ROWS)(rows.__getitem__)
        self._signatures = signatures(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Wording:
        return self._row(i)

    def band(self, number: int, bands: Bands) -> NDArray[np.uint64]:
        """Each row's hash of one band."""
        part = self._signatures[number * bands.size : (number + 1) * bands.size]
        return band_hashes(part, self.rows.keys)

    def facts(self) -> NDArray[np.uint64]:
        """Each row's hash of its facts."""
        return self.rows.facts

    def fact_bits(self) -> NDArray[np.uint64]:
        """Each row's facts, asked and answered."""
        return fact_bits(self.rows)

    def agreement(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each pair, the share of hashes that agree."""
        one, other = (self._signatures[:, side] for side in pairs.T)
        agreeing: NDArray[np.float64] = (one == other).mean(axis=0)
        return agreeing


def near_repeats(rows: Sequence[RowParts], similarity: float) -> dict[int, Original]:
    """Place of each row that is near an earlier row which stays -> that row.

    Rows that differ in case, spaces or forms of characters only are near with 1.0, whatever their
    length. No pair below `similarity` is named; of the pairs above, `bands_for` says how many are."""
    worded = wordings(rows)
    same = repeats(worded.texts.tolist())
    among = np.array([i for i in range(len(rows)) if i not in same], np.int64)
    signed = SignedRows(worded)
    met = candidates(signed, bands_for(similarity), similarity, among)
    found = group(signed, met, lambda a, b: alike(signed[a], signed[b], similarity)).found
    for later, first in same.items():
        found[later] = (
            Original(found[first].row, found[first].similarity)
            if first in found
            else Original(first, 1.0)
        )
    return found


def group(
    rows: Signed,
    pairs: NDArray[np.int64],
    near: Callable[[int, int], float | None],
    most_compared: int | None = None,
) -> Leaders:
    """The near repeats among pairs that met: most rows of a template are told apart by their facts.

    `near` compares the others: see `leaders`."""
    bits = rows.fact_bits()
    return leaders(
        _each(pairs),
        near,
        most_compared,
        lambda one, other: have_other_bits(bits, one, other),
    )


def _each(pairs: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """One after the other: as objects they take five times the memory."""
    for start in range(0, len(pairs), _BLOCK):
        yield from zip(*pairs[start : start + _BLOCK].T.tolist(), strict=True)


def near_pairs(worded: Wordings, similarity: float) -> Iterator[tuple[int, int, float]]:
    """Every pair (earlier, later) that met and is near, with its similarity."""
    signed = SignedRows(worded)
    among = np.arange(len(worded))
    for a, b in candidates(signed, bands_for(similarity), similarity, among).tolist():
        share = alike(signed[a], signed[b], similarity)
        if share is not None:
            yield a, b, share
