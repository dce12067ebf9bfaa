"""Pairs of rows that met, compared by several processes: what the search for repeats asks for most.

A row is compared with those before it until it is near one, as who decides alone would. That one may itself
be near an earlier row and not stay; then who decides compares with the row that stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from finewright.data.scale.columns import open_rows
from finewright.data.scale.engines import local
from finewright.guard.duplicates.alike import alike
from finewright.guard.duplicates.near import MOST_COMPARED, Shares
from finewright.guard.duplicates.signed import SignedRows

_PAIRS_A_PART = 4_000
# Fewer are compared sooner than a process begins.
_MANY_PAIRS = 10_000


class MetPairs(NamedTuple):
    """Pairs (earlier, later), those of a later row together."""

    number: int
    rows: NDArray[np.int64]


class Comparing(NamedTuple):
    """Where the rows lie, how near is near, and with how many others a row is compared at most.

    `run` is of one search alone: in the next the same folder may have other rows."""

    folder: Path
    similarity: float
    most: int
    run: str


@dataclass(frozen=True, slots=True)
class ComparedPairs:
    """How near the rows of each pair are that was compared, in 16 bytes a pair.

    `pairs` are `later * num_rows + earlier`, in order; of a pair that is not near the share is 0."""

    num_rows: int
    pairs: NDArray[np.int64]
    shares: NDArray[np.float64]

    def share(self, earlier: int, later: int) -> float | None:
        """What was found; None where they were not compared."""
        pair = later * self.num_rows + earlier
        at = int(np.searchsorted(self.pairs, pair))
        is_there = at < len(self.pairs) and self.pairs[at] == pair
        return float(self.shares[at]) if is_there else None


@dataclass(frozen=True, slots=True)
class ComparingAhead:
    """Has so many processes compare the pairs of rows whose columns lie in a folder."""

    folder: Path
    similarity: float
    workers: int

    def __call__(self, met: NDArray[np.int64]) -> Shares:
        """What they say of the pairs; nothing where there are too few for several."""
        is_much = self.workers > 1 and len(met) >= _MANY_PAIRS
        parts = list(parts_of(met)) if is_much else []
        num_rows = int(met.max(initial=0)) + 1
        pairs, shares = [np.empty(0, np.int64)], [np.empty(0)]
        # One part alone is no work for several: its rows are compared where they are grouped.
        if len(parts) > 1:
            how = Comparing(self.folder, self.similarity, MOST_COMPARED, uuid4().hex)
            for number, content in local(parts, compare_pairs, how, self.workers):
                found = np.frombuffer(content)
                is_done = found >= 0
                earlier, later = parts[number].rows[is_done].T
                pairs.append(later * num_rows + earlier)
                shares.append(found[is_done])
        numbers = np.concatenate(pairs)
        order = np.argsort(numbers)
        return ComparedPairs(num_rows, numbers[order], np.concatenate(shares)[order]).share


def parts_of(met: NDArray[np.int64]) -> Iterator[MetPairs]:
    """The pairs in parts of about as many each; all of a later row are in one.

    Rows of a family, that met each other, follow each other: so each is read and counted but once."""
    begins = np.flatnonzero(np.diff(met[:, 1], prepend=-1))
    ends = np.append(begins[1:], len(met))
    by_family = np.argsort(_families(met)[met[begins, 1]], kind="stable")
    sizes = (ends - begins)[by_family]
    starts = np.cumsum(sizes) - sizes
    places = np.arange(len(met)) + np.repeat(begins[by_family] - starts, sizes)
    cuts = starts[1:][np.diff(starts // _PAIRS_A_PART) > 0]
    for number, rows in enumerate(np.split(met[places], cuts)):
        yield MetPairs(number, rows)


def _families(met: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each row the earliest that it is led to by way of the earliest that each met."""
    found = np.arange(met.max(initial=-1) + 1)
    np.minimum.at(found, met[:, 1], met[:, 0])
    while (further := found[found] != found).any():
        found[further] = found[found[further]]
    return found


def compare_pairs(part: MetPairs, how: Comparing) -> bytes:
    """Of each pair the similarity; 0 where the rows are not near, -1 where they were not compared."""
    rows = _rows_in(how)
    found = np.full(len(part.rows), -1.0)
    last, num_tried, is_near = -1, 0, False
    for i, (earlier, later) in enumerate(part.rows.tolist()):
        if later != last:
            last, num_tried, is_near = later, 0, False
        if is_near or num_tried == how.most:
            continue
        num_tried += 1
        similarity = alike(rows[earlier], rows[later], how.similarity)
        found[i], is_near = similarity or 0.0, similarity is not None
    return found.tobytes()


@lru_cache(maxsize=1)
def _rows_in(how: Comparing) -> SignedRows:
    return open_rows(how.folder)
