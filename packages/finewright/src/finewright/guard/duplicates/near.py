"""Near-duplicates: what counts of two rows is the same, or MinHash bands suggest the pair.

What was weighed: `rensa` and `datasketch` make the same signatures; 128 hashes of a row of 160 words take
5 µs here, 12 µs with rensa's Rust, so a dependency would buy nothing."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.alike import alike
from finewright.guard.duplicates.candidates import candidates
from finewright.guard.duplicates.layout import leaders
from finewright.guard.duplicates.minhash import bands_for
from finewright.guard.duplicates.signed import SignedRows

# Where more rows are alike, and no repeats of each other, a row is compared with those that agree most.
MOST_COMPARED = 12
_BLOCK = 1 << 16
Places = NDArray[np.int64]
Shares = Callable[[int, int], float | None]
"""How near a pair (earlier, later) is that was compared: 0 where it is not near; None of any other."""
CompareAhead = Callable[[Places], Shares]
"""Compares pairs that met, perhaps by several processes, before they are asked for one by one."""


class LaterRows(NamedTuple):
    """Rows, by place, and the earlier row that each repeats."""

    rows: Places
    of: Places


class NearRepeats(NamedTuple):
    """Rows that are near an earlier row which stays, that row, and the share of words in common.

    `num_unfinished` rows are near none of the `MOST_COMPARED` that are most like them: with no others were
    they compared."""

    rows: Places
    of: Places
    shares: NDArray[np.float64]
    num_unfinished: int


def later_rows(keys: NDArray[np.uint64], among: Places) -> LaterRows:
    """The rows `among` whose key an earlier one of them has, and the first that has it.

    A million keys sort in 0.12 s; a dictionary takes three times as long and ten times the memory, and
    grouping them with Polars or DuckDB takes the same (0.15 and 0.10 s), so neither is needed."""
    order = np.argsort(keys[among], kind="stable")
    ordered = keys[among][order]
    changes = np.ones(len(order), bool)
    changes[1:] = ordered[1:] != ordered[:-1]
    first = among[order[np.flatnonzero(changes)[np.cumsum(changes) - 1]]] if len(order) else among
    return LaterRows(among[order[~changes]], first[~changes])


def near_repeats(
    rows: SignedRows,
    similarity: float,
    among: Places | None = None,
    compare_ahead: CompareAhead | None = None,
) -> NearRepeats:
    """Which of the rows `among` all are near an earlier one of them that stays.

    Rows of which all is the same that counts are near with 1.0, whatever their length. No pair below
    `similarity` is named; of the pairs above, `bands_for` says how many are."""
    among = np.arange(len(rows)) if among is None else among
    same = later_rows(rows.texts, among)
    rest = np.setdiff1d(among, same.rows, assume_unique=True)
    met = _likest_first(rows, candidates(rows, bands_for(similarity), similarity, rest))
    known = compare_ahead(met) if compare_ahead else _nothing_known

    def near(one: int, other: int) -> float | None:
        share = known(one, other)
        return alike(rows[one], rows[other], similarity) if share is None else share or None

    led = leaders(_each(met), near, MOST_COMPARED)
    of, shares = np.arange(len(rows)), np.ones(len(rows))
    for later, kept in led.found.items():
        of[later], shares[later] = kept
    # What is the same text as a row that is near another is near that one.
    of[same.rows], shares[same.rows] = of[same.of], shares[same.of]
    found = among[of[among] != among]
    return NearRepeats(found, of[found], shares[found], len(led.unfinished - led.found.keys()))


def near_pairs(rows: SignedRows, similarity: float) -> Iterator[tuple[int, int, float]]:
    """Every pair (earlier, later) that met and is near, with its similarity."""
    for a, b in _each(candidates(rows, bands_for(similarity), similarity, np.arange(len(rows)))):
        share = alike(rows[a], rows[b], similarity)
        if share is not None:
            yield a, b, share


def _nothing_known(_: int, __: int) -> float | None:
    return None


def _likest_first(rows: SignedRows, met: Places) -> Places:
    """The pairs, of a later row with more than can be compared first those whose signatures agree most."""
    _, which, counts = np.unique(met[:, 1], return_inverse=True, return_counts=True)
    many = np.flatnonzero(counts[which] > MOST_COMPARED)
    agreement = np.zeros(len(met), np.float32)
    for start in range(0, len(many), _BLOCK):
        part = many[start : start + _BLOCK]
        agreement[part] = rows.agreement(met[part])
    return met[np.lexsort((met[:, 0], -agreement, met[:, 1]))]


def _each(pairs: Places) -> Iterator[tuple[int, int]]:
    """One after the other: as objects they take five times the memory."""
    for start in range(0, len(pairs), _BLOCK):
        yield from zip(*pairs[start : start + _BLOCK].T.tolist(), strict=True)
