"""Held-out rows beside the training rows, by their words: those that are near, and runs in common."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.characters import drop_decorations
from finewright.guard.duplicates.layout import without_layout
from finewright.guard.duplicates.near import near_pairs
from finewright.guard.duplicates.numbered import number_rows
from finewright.guard.duplicates.signed import SignedRows, columns_of
from finewright.guard.duplicates.words import (
    RowWords,
    mix_bits,
    tokens_of,
    uncapital,
    word_of,
    words_in,
)
from finewright.rows.texts import parts_of
from finewright.schema.rows import Row, RowParts

_SHORTEST, _LONGEST = 8, 13
_PERCENTILE = 5
_BOILERPLATE = 10
_SHOWN = 3
_LINK = re.compile(r"(?:https?://|\bwww\.)[^\s<>\"')\]]+", re.I)
# Odd, so that its powers have inverses modulo 2^64.
_BASE = 0x9E3779B97F4A7C15


class NearRow(NamedTuple):
    """The training row (its place) that a held-out row is near, and the share of common words."""

    of: int
    share: float


class Overlap(NamedTuple):
    """Of a held-out row: the share of its words in common runs, of so many words, the training row that has
    most of them (its place, -1 for none), and where some of the runs begin."""

    share: float
    num_words: int
    of: int
    starts: tuple[int, ...]
    length: int

    def evidence(self, row: Row) -> tuple[str, ...]:
        """Some of the runs as folded words."""
        parts = _without_links(row)
        # Two places are taken by the marks before what is asked and what is answered.
        words = ["", *_split_words(parts.prompt), "", *_split_words(parts.answered)]
        return tuple(" ".join(words[start : start + self.length]) for start in self.starts)


class Overlaps(NamedTuple):
    """The overlap of each held-out row, in runs of `length` words."""

    rows: tuple[Overlap, ...]
    length: int


def near_rows(
    train: Sequence[Row], held_out: Sequence[Row], similarity: float
) -> dict[int, NearRow]:
    """Place of each held-out row near a training row -> the nearest such row."""
    worded = number_rows(map(parts_of, [*train, *held_out]), keyed=False)
    signed = SignedRows(columns_of(worded, similarity))
    best: dict[int, NearRow] = {}
    for earlier, later, share in near_pairs(signed, similarity):
        place = later - len(train)
        if earlier < len(train) <= later and (place not in best or share > best[place].share):
            best[place] = NearRow(earlier, share)
    return best


def overlaps(train: Sequence[Row], held_out: Sequence[Row]) -> Overlaps:
    """The runs of words that held-out rows have in common with training rows; words of links are none."""
    measured = words_in(map(_without_links, held_out))
    lengths = np.diff(measured.starts) - 2
    typical = np.percentile(lengths, _PERCENTILE) if len(lengths) else _LONGEST
    length = int(np.clip(typical, _SHORTEST, _LONGEST))
    known = _find_known_runs(words_in(map(_without_links, train)), measured, length)
    return Overlaps(
        tuple(_overlap(known, measured, i, length) for i in range(len(measured))), length
    )


class _Runs(NamedTuple):
    """Of each place in the held-out words: a training row whose run is the one that begins here, or -1."""

    of: NDArray[np.int64]


def _find_known_runs(train: RowWords, measured: RowWords, length: int) -> _Runs:
    wanted = _runs(measured, length)
    trained = _runs(train, length)
    distinct, place = np.unique(wanted.hashes, return_inverse=True)
    of = np.full(len(measured.words), -1, np.int64)
    if not len(distinct) or not len(trained.hashes):
        return _Runs(of)
    at = np.searchsorted(distinct, trained.hashes).clip(max=len(distinct) - 1)
    hits = np.flatnonzero(distinct[at] == trained.hashes)
    pairs = np.unique(np.stack([at[hits], trained.rows[hits]], axis=1), axis=0)
    run, first, count = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    row_of = np.full(len(distinct), -1, np.int64)
    is_own = count + _rows_with(place, wanted.rows, len(distinct))[run] <= _BOILERPLATE + 1
    row_of[run[is_own]] = pairs[first[is_own], 1]
    of[wanted.starts] = row_of[place]
    return _Runs(of)


def _rows_with(
    runs: NDArray[np.int64], rows: NDArray[np.int64], num_runs: int
) -> NDArray[np.int64]:
    """Of each run, in how many of the rows it stands."""
    of_run = np.unique(np.stack([runs, rows], axis=1), axis=0)[:, 0]
    return np.bincount(of_run, minlength=num_runs)


class _Hashed(NamedTuple):
    """Runs of words within a part of a row: their hashes, where they begin, and whose they are."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]


def _runs(rows: RowWords, length: int) -> _Hashed:
    """All runs of `length` words that cross no mark, by a rolling hash modulo 2^64 (Karp and Rabin 1987).

    The sum of word i times BASE^i is kept as a running total, so a run's is a difference."""
    num_words = len(rows.words)
    if num_words < length:
        return _Hashed(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))
    powers = _powers(_BASE, num_words)
    total = np.zeros(num_words + 1, np.uint64)
    np.cumsum(mix_bits(uncapital(rows.words).astype(np.uint64)) * powers, out=total[1:])
    sums = total[length:] - total[:-length]
    inverse = _powers(pow(_BASE, -1, 1 << 64), num_words)[: len(sums)]
    is_mark = np.zeros(num_words + 1, np.int64)
    is_mark[rows.starts[:-1] + 1] = 1
    is_mark[rows.answers + 1] = 1
    marks = np.cumsum(is_mark)
    starts = np.flatnonzero(marks[length:] == marks[:-length])
    owners = np.searchsorted(rows.starts, starts, side="right") - 1
    return _Hashed((sums * inverse)[starts], starts, owners)


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    powers = np.full(count, base, np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _overlap(known: _Runs, measured: RowWords, i: int, length: int) -> Overlap:
    start, end = measured.starts[i], measured.starts[i + 1]
    of = known.of[start:end]
    places = np.flatnonzero(of >= 0)
    num_words = int(end - start) - 2
    if not len(places):
        return Overlap(0.0, num_words, -1, (), length)
    covered = np.zeros(end - start, bool)
    for offset in range(length):
        covered[places + offset] = True
    apart = places[np.concatenate([[True], np.diff(places // length) > 0])]
    most = int(np.bincount(of[places]).argmax())
    share, shown = float(covered.sum() / num_words), tuple(map(int, apart[:_SHOWN]))
    return Overlap(share, num_words, most, shown, length)


def _without_links(row: Row) -> RowParts:
    parts = without_layout(parts_of(row))
    prompt, answered = (
        # A short text has decoration among its words, a longer one none.
        [drop_decorations(_LINK.sub(" ", text)) for text in texts]
        for texts in (parts.prompt, parts.answered)
    )
    return parts._replace(prompt=prompt, answered=answered)


def _split_words(texts: Sequence[str]) -> list[str]:
    return [word_of(token) for text in texts for token in tokens_of(text)]
