"""Pairs of rows that meet in a band, found by sorting: memory grows with the rows, not with the pairs."""

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.minhash import NUM_HASHES, Bands, bigram_jaccard
from finewright.guard.duplicates.signed import SignedRows

_WINDOW = 32
_BLOCK = 1 << 16
# Two standard errors of the Jaccard estimate that 128 hashes give, at its widest.
_DOUBT = 2 * 0.5 / NUM_HASHES**0.5


def candidates(
    rows: SignedRows, bands: Bands, similarity: float, among: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs (earlier, later) of the rows `among` that meet in a band and may be near.

    Sorted by the later row, then the earlier; none twice. In a band where more than 33 rows meet, each is
    paired with the first of them and its 32 neighbours."""
    least = bigram_jaccard(similarity) - _DOUBT
    num_rows = np.int64(len(rows))
    found = np.empty(0, np.int64)
    for number in range(bands.number):
        met = among[_meeting(rows.band(number)[among])]
        # One number per pair, so that sorting and joining are those of numbers.
        fresh = _fresh(np.sort(met[:, 1] * num_rows + met[:, 0]), found)
        pairs = np.stack([fresh % num_rows, fresh // num_rows], axis=1)
        found = np.sort(
            np.concatenate([found, fresh[_agreeing(rows, pairs, least)]]), kind="stable"
        )
    return np.stack([found % num_rows, found // num_rows], axis=1)


def _fresh(numbers: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the sorted numbers that are not in `found`, each once.

    By sorting: `np.setdiff1d` counts by hashes, which takes eight times as long here."""
    numbers = numbers[_starts(numbers)]
    if not len(found):
        return numbers
    at = np.searchsorted(found, numbers).clip(max=len(found) - 1)
    is_fresh: NDArray[np.bool_] = found[at] != numbers
    return numbers[is_fresh]


def _agreeing(rows: SignedRows, pairs: NDArray[np.int64], least: float) -> NDArray[np.bool_]:
    parts = [rows.agreement(pairs[i : i + _BLOCK]) >= least for i in range(0, len(pairs), _BLOCK)]
    return np.concatenate(parts) if parts else np.empty(0, bool)


def _meeting(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs of places (lower, higher) with equal hashes."""
    order = _in_runs(hashes)
    key = hashes[order]
    found = []
    for distance in range(1, _WINDOW + 1):
        same = key[distance:] == key[:-distance]
        if not same.any():
            break
        later = np.flatnonzero(same) + distance
        found.append((order[later - distance], order[later]))
    starts = _starts(key)
    first = starts[_run_of(starts, len(key))]
    far = np.flatnonzero(np.arange(len(key)) - first > _WINDOW)
    found.append((order[first[far]], order[far]))
    one, other = (np.concatenate(side) for side in zip(*found, strict=True))
    return np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1)


def _in_runs(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The places whose hash another one has, by their hashes, then in order.

    Most have a hash alone, and a stable sort of all takes five times as long as numpy's usual one."""
    order = np.argsort(hashes)
    is_first = np.zeros(len(hashes) + 1, bool)
    is_first[_starts(hashes[order])] = is_first[-1] = True
    are_in_runs = ~(is_first[:-1] & is_first[1:])
    run = np.cumsum(is_first[:-1])[are_in_runs]
    return np.sort(run * len(hashes) + order[are_in_runs]) % max(1, len(hashes))


def _starts(*sorted_keys: NDArray[np.uint64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each run of equal keys begins."""
    changes = np.zeros(len(sorted_keys[0]), bool)
    changes[:1] = True
    for key in sorted_keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changes)


def _run_of(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, length)))
