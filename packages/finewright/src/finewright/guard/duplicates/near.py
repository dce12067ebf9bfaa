"""Near-duplicates among rows in memory: what counts of them is the same, or MinHash bands suggest the pair.

What was weighed: `rensa` and `datasketch` make the same signatures; 128 hashes of a row of 160 words take
5 µs here, 12 µs with rensa's Rust, so a dependency would buy nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.alike import alike
from finewright.guard.duplicates.candidates import candidates
from finewright.guard.duplicates.exact import repeats
from finewright.guard.duplicates.groups import Leaders, Original, leaders
from finewright.guard.duplicates.minhash import Bands, band_hashes, bands_for, signatures
from finewright.guard.duplicates.numbered import number_rows
from finewright.guard.duplicates.words import Wording, Wordings, uncapital
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
        numbers, counts = np.unique(uncapital(rows.words), return_counts=True)
        self._once = frozenset(numbers[counts == 1].tolist())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Wording:
        return self._row(i)

    def is_once(self, number: int) -> bool:
        """Does the word of this number stand once in all rows?"""
        return number in self._once

    def band(self, number: int, bands: Bands) -> NDArray[np.uint64]:
        """Each row's hash of one band."""
        part = self._signatures[number * bands.size : (number + 1) * bands.size]
        return band_hashes(part, self.rows.keys)

    def agreement(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each pair, the share of hashes that agree."""
        one, other = (self._signatures[:, side] for side in pairs.T)
        agreeing: NDArray[np.float64] = (one == other).mean(axis=0)
        return agreeing


def near_repeats(
    rows: Sequence[RowParts], similarity: float, among: Iterable[int] | None = None
) -> dict[int, Original]:
    """Place of each row (of those `among`) that is near an earlier row which stays -> that row.

    Rows of which all is the same that counts are near with 1.0, whatever their length. No pair below
    `similarity` is named; of the pairs above, `bands_for` says how many are."""
    worded = number_rows(rows)
    looked_at = [*(range(len(rows)) if among is None else among)]
    same = {
        looked_at[i]: looked_at[first]
        for i, first in repeats(worded.texts[looked_at].tolist()).items()
    }
    rest = np.array([i for i in looked_at if i not in same], np.int64)
    signed = SignedRows(worded)
    met = candidates(signed, bands_for(similarity), similarity, rest)
    found = group(met, lambda a, b: alike(signed[a], signed[b], similarity, signed.is_once)).found
    for later, first in same.items():
        found[later] = (
            Original(found[first].row, found[first].similarity)
            if first in found
            else Original(first, 1.0)
        )
    return found


def group(
    pairs: NDArray[np.int64],
    near: Callable[[int, int], float | None],
    most_compared: int | None = None,
) -> Leaders:
    """The near repeats among pairs that met; `near` compares: see `leaders`."""
    return leaders(_each(pairs), near, most_compared)


def _each(pairs: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """One after the other: as objects they take five times the memory."""
    for start in range(0, len(pairs), _BLOCK):
        yield from zip(*pairs[start : start + _BLOCK].T.tolist(), strict=True)


def near_pairs(worded: Wordings, similarity: float) -> Iterator[tuple[int, int, float]]:
    """Every pair (earlier, later) that met and is near, with its similarity."""
    signed = SignedRows(worded)
    among = np.arange(len(worded))
    for a, b in candidates(signed, bands_for(similarity), similarity, among).tolist():
        share = alike(signed[a], signed[b], similarity, signed.is_once)
        if share is not None:
            yield a, b, share
