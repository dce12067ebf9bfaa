"""The chunks of all slices as columns on disk: what near-duplicates are found by, one band at a time."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.data.scale.repeats import SearchedRows
from finewright.guard.duplicates.minhash import NUM_HASHES
from finewright.guard.duplicates.signed import Array, SignedRows
from finewright.store.atomic import os_errors

_WORDS, _SKETCH, _ROWS = "words.u32", "sketch.u8", "rows.npz"
_LETTERS, _KNOWN = "letters.u8", "known.npz"
_MOST_PENDING = 1 << 22
_OF_ROWS = ("keys", "texts", "starts", "answers")


class RowPlaces(NamedTuple):
    """Where the rows are that may be kept: row i of all is row `i - offsets[c]` of chunk c.

    `rows` has the number of each in its file."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]

    def chunk_of(self, i: int) -> int:
        """The chunk (by its position) that has row i of all."""
        return int(np.searchsorted(self.offsets, i, side="right")) - 1


class Columns:
    """Of every row that may be kept: its id and its hashes in memory (80 bytes), the rest in files."""

    def __init__(self, chunks: Sequence[Path], folder: Path, *, with_near: bool) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        parts: dict[str, list[Array]] = {}
        names = ("places", "ids", *(_OF_ROWS if with_near else ()))
        sizes, num_words = [], 0
        spelling = _SpellingWriter(folder)
        for path in chunks:
            with os_errors(path), np.load(path) as chunk:
                for name in names:
                    column = chunk[name]
                    if name in ("starts", "answers"):
                        column = column[: len(chunk["ids"])] + num_words
                    parts.setdefault(name, []).append(column)
                sizes.append(len(parts["ids"][-1]))
                if with_near:
                    self._append(chunk)
                    num_words += len(chunk["words"])
                    spelling.add(chunk)
        joined = {name: np.concatenate(columns, axis=-1) for name, columns in parts.items()}
        self.places = RowPlaces(np.cumsum([0, *sizes]), joined["places"])
        signed = None
        if with_near:
            spelling.end()
            joined["starts"] = np.append(joined["starts"], num_words)
            of_rows = {name: joined[name] for name in _OF_ROWS}
            np.savez(folder / _ROWS, allow_pickle=False, **of_rows)
            signed = open_rows(folder)
        self.rows = SearchedRows(joined["ids"], signed)

    def delete(self) -> None:
        """Give the disk its space back; only `places` may be used after."""
        for path in self.folder.iterdir():
            # A file that is mapped keeps its space until it is cut.
            os.truncate(path, 0)
            path.unlink()

    def _append(self, chunk: Any) -> None:  # Any: numpy's open archive
        columns = {_WORDS: chunk["words"], _SKETCH: chunk["sketch"]}
        columns |= {_band_name(number): band for number, band in enumerate(chunk["bands"])}
        for name, column in columns.items():
            with (self.folder / name).open("ab") as file:
                column.tofile(file)


@dataclass(slots=True)
class _SpellingWriter:
    """Writes the words of one chunk after another into a folder.

    Of two words of one number the first is kept, as where all rows are in memory."""

    folder: Path
    _parts: list[NDArray[np.int64]] = field(default_factory=list)
    _num_pending: int = 0
    _num_letters: int = 0

    def add(self, chunk: Mapping[str, Array]) -> None:
        """Take the columns of the chunk's `SpelledWords`."""
        known, letters = chunk["known"], chunk["letters"]
        with (self.folder / _LETTERS).open("ab") as file:
            letters.tofile(file)
        begins, ends = (chunk[name] + self._num_letters for name in ("begins", "ends"))
        self._parts.append(np.stack([known.astype(np.int64), begins, ends, chunk["counts"]]))
        self._num_letters += len(letters)
        self._num_pending += len(known)
        if self._num_pending > _MOST_PENDING:
            self._join()

    def _join(self) -> None:
        joined = np.concatenate([np.empty((4, 0), np.int64), *self._parts], axis=1)
        _, first, which = np.unique(joined[0], return_index=True, return_inverse=True)
        counts = np.bincount(which, joined[3], len(first)).astype(np.int64)
        self._parts, self._num_pending = [np.stack([*joined[:3, first], counts])], 0

    def end(self) -> None:
        """Write where the words lie."""
        self._join()
        known, begins, ends, counts = self._parts[0]
        np.savez(
            self.folder / _KNOWN,
            known=known.astype(np.uint32),
            begins=begins,
            ends=ends,
            counts=counts,
        )


def open_rows(folder: Path) -> SignedRows:
    """The rows whose columns lie in a folder that `Columns` wrote: in any process."""
    columns = {
        "words": _map_file(folder / _WORDS, np.uint32),
        "sketch": _map_file(folder / _SKETCH, np.uint8).reshape(-1, NUM_HASHES),
        "letters": _map_file(folder / _LETTERS, np.uint8),
    }
    for name in (_ROWS, _KNOWN):
        with os_errors(folder), np.load(folder / name) as file:
            columns |= {key: file[key] for key in file.files}
    return SignedRows(columns, partial(_band, folder))


def _band(folder: Path, number: int) -> NDArray[np.uint64]:
    return np.fromfile(folder / _band_name(number), np.uint64)


def _band_name(number: int) -> str:
    return f"band-{number:03d}.u64"


def _map_file(path: Path, dtype: Any) -> Array:  # Any: numpy's own
    """The numbers in a file, read where they are asked for."""
    # An empty file cannot be mapped; and a part of a plain array is made ten times sooner.
    return np.asarray(np.memmap(path, dtype, "r")) if path.stat().st_size else np.empty(0, dtype)
