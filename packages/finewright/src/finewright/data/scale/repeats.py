"""Which of all rows repeat an earlier one, by sorted columns: the same answer as `duplicates.find`."""

from typing import NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from finewright.data.scale.columns import Columns
from finewright.data.scale.compared import ComparedPairs, Comparing, compared, parts_of
from finewright.data.scale.engines import local
from finewright.guard.duplicates.alike import alike
from finewright.guard.duplicates.candidates import candidates
from finewright.guard.duplicates.minhash import bands_for
from finewright.guard.duplicates.near import group
from finewright.schema.duplicates import DuplicateKind, DuplicatesSpec

# Where more rows are alike, and no repeats of each other, a row is compared with those that agree most.
MOST_COMPARED = 12
_BLOCK = 1 << 16
# Fewer are compared sooner than a process begins.
_MANY_PAIRS = 10_000


class Repeats(NamedTuple):
    """Rows (by place) that repeat an earlier one, in order; which one, how near, in which way.

    `dropped` says which do not go on, `num_unfinished` how many were not compared with all like them."""

    rows: NDArray[np.int64]
    of: NDArray[np.int64]
    similarity: NDArray[np.float64]
    is_exact: NDArray[np.bool_]
    dropped: NDArray[np.bool_]
    num_unfinished: int

    def kind(self, i: int) -> DuplicateKind:
        """The kind of the i-th repeat."""
        return "exact" if self.is_exact[i] else "near"


def repeats_in(columns: Columns, spec: DuplicatesSpec, workers: int = 1) -> Repeats:
    """Exact repeats by id; near ones by bands, checked by their words, by so many processes.

    A million ids sort in 0.12 s; a dictionary takes three times as long and ten times the memory, and
    grouping them with Polars or DuckDB takes the same (0.15 and 0.10 s), so neither is needed."""
    num_rows = len(columns)
    of = np.arange(num_rows)
    similarity = np.ones(num_rows)
    exact = _later(columns.ids, of)
    is_exact = np.zeros(num_rows, bool)
    is_exact[exact.rows] = True
    of[exact.rows] = exact.of
    num_unfinished = 0
    if spec.near != "off":
        num_unfinished = _add_near(
            columns, spec.similarity, np.flatnonzero(~is_exact), of, similarity, workers
        )
    rows = np.flatnonzero(of != np.arange(num_rows))
    is_dropped = np.zeros(num_rows, bool)
    is_dropped[is_exact] = spec.exact == "drop"
    is_near = (of != np.arange(num_rows)) & ~is_exact
    is_dropped[is_near] = spec.near == "drop"
    # A repeat goes where the row goes that it repeats; that of an exact one may itself be near another.
    is_dropped[rows] |= is_dropped[of[rows]]
    return Repeats(
        rows, of[rows], similarity[rows], is_exact[rows], is_dropped[rows], num_unfinished
    )


class _Later(NamedTuple):
    rows: NDArray[np.int64]
    of: NDArray[np.int64]


def _later(keys: NDArray[np.uint64], among: NDArray[np.int64]) -> _Later:
    """The rows `among` whose key an earlier one has, and the first that has it."""
    order = np.argsort(keys[among], kind="stable")
    ordered = keys[among][order]
    changes = np.ones(len(order), bool)
    changes[1:] = ordered[1:] != ordered[:-1]
    first = among[order[np.flatnonzero(changes)[np.cumsum(changes) - 1]]] if len(order) else among
    return _Later(among[order[~changes]], first[~changes])


def _add_near(
    columns: Columns,
    similarity: float,
    among: NDArray[np.int64],
    of: NDArray[np.int64],
    shares: NDArray[np.float64],
    workers: int,
) -> int:
    """Say of each near row which one it repeats; how many were not compared with all that are like them."""
    same = _later(columns.texts, among)
    of[same.rows] = same.of
    rest = np.setdiff1d(among, same.rows, assume_unique=True)
    met = _likest_first(columns, candidates(columns, bands_for(similarity), similarity, rest))
    known = _compared(columns, met, similarity, workers)

    def near(one: int, other: int) -> float | None:
        share = known.share(one, other)
        if share is not None:
            return share or None
        return alike(columns[one], columns[other], similarity, columns.is_once)

    led = group(met, near, MOST_COMPARED)
    for later, kept in led.found.items():
        of[later], shares[later] = kept
    # What is the same text as a row that is near another is near that one.
    shares[same.rows] = shares[same.of]
    of[same.rows] = of[same.of]
    return len(led.unfinished - led.found.keys())


def _compared(
    columns: Columns, met: NDArray[np.int64], similarity: float, workers: int
) -> ComparedPairs:
    """What several processes say of the pairs; nothing where there are too few for them."""
    is_much = workers > 1 and len(met) >= _MANY_PAIRS
    parts = list(parts_of(met)) if is_much else []
    pairs, shares = [np.empty(0, np.int64)], [np.empty(0)]
    # One part alone is no work for several: its rows are compared where they are grouped.
    if len(parts) > 1:
        how = Comparing(columns.folder, similarity, MOST_COMPARED, uuid4().hex)
        for number, content in local(parts, compared, how, workers):
            found = np.frombuffer(content)
            is_done = found >= 0
            earlier, later = parts[number].rows[is_done].T
            pairs.append(later * len(columns) + earlier)
            shares.append(found[is_done])
    numbers = np.concatenate(pairs)
    order = np.argsort(numbers)
    return ComparedPairs(len(columns), numbers[order], np.concatenate(shares)[order])


def _likest_first(columns: Columns, met: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pairs, of a later row with more than can be compared first those whose signatures agree most."""
    _, which, counts = np.unique(met[:, 1], return_inverse=True, return_counts=True)
    many = np.flatnonzero(counts[which] > MOST_COMPARED)
    agreement = np.zeros(len(met), np.float32)
    for start in range(0, len(many), _BLOCK):
        part = many[start : start + _BLOCK]
        agreement[part] = columns.agreement(met[part])
    return met[np.lexsort((met[:, 0], -agreement, met[:, 1]))]
