"""Which of all rows repeat an earlier one, and which do not go on: of one slice in memory, or of many."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.near import CompareAhead, later_rows, near_repeats
from finewright.guard.duplicates.numbered import number_rows
from finewright.guard.duplicates.signed import Array, SignedRows, columns_of
from finewright.rows.texts import parts_of
from finewright.schema.duplicates import DuplicateKind, DuplicatesSpec
from finewright.schema.rows import Row


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


class SearchedRows(NamedTuple):
    """Rows as repeats are found by: their ids, and their words where near ones are looked for."""

    ids: NDArray[np.uint64]
    signed: SignedRows | None


def repeat_columns(rows: Sequence[Row], spec: DuplicatesSpec) -> dict[str, Array]:
    """The columns of one slice of rows, without a key where they have stand-ins."""
    searched = [row.searched for row in rows]
    ids = {"ids": np.array([int(row.id, 16) for row in searched], np.uint64)}
    if spec.near == "off":
        return ids
    return ids | columns_of(number_rows(map(parts_of, searched)), spec.similarity)


def rows_in_memory(rows: Sequence[Row], spec: DuplicatesSpec) -> SearchedRows:
    """All rows as one slice."""
    columns = repeat_columns(rows, spec)
    return SearchedRows(columns["ids"], SignedRows(columns) if "bands" in columns else None)


def repeats_in(
    rows: SearchedRows, spec: DuplicatesSpec, compare_ahead: CompareAhead | None = None
) -> Repeats:
    """Exact repeats by id; near ones by bands, checked by their words. The first row of a group stays.

    A row counts once, under the stricter kind, dropped or not. A repeat is dropped as its kind says, and as
    well where the row it repeats is."""
    num_rows = len(rows.ids)
    of = np.arange(num_rows)
    similarity = np.ones(num_rows)
    exact = later_rows(rows.ids, of)
    is_exact, is_dropped = np.zeros(num_rows, bool), np.zeros(num_rows, bool)
    is_exact[exact.rows] = True
    is_dropped[exact.rows] = spec.exact == "drop"
    of[exact.rows] = exact.of
    num_unfinished = 0
    if rows.signed is not None:
        near = near_repeats(rows.signed, spec.similarity, np.flatnonzero(~is_exact), compare_ahead)
        of[near.rows], similarity[near.rows] = near.of, near.shares
        is_dropped[near.rows] = spec.near == "drop"
        num_unfinished = near.num_unfinished
    found = np.flatnonzero(of != np.arange(num_rows))
    # That of an exact one may itself be near another.
    is_dropped[found] |= is_dropped[of[found]]
    return Repeats(
        found, of[found], similarity[found], is_exact[found], is_dropped[found], num_unfinished
    )
