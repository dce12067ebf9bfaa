"""The chunks of all slices as columns on disk: what near-duplicates are found by, one band at a time."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.data.scale.spelled import SpelledWords, SpellingWriter, mapped
from finewright.guard.duplicates.minhash import NUM_HASHES, Bands
from finewright.guard.duplicates.near import MOST_KEPT_ROWS
from finewright.guard.duplicates.words import Wording
from finewright.store.atomic import os_errors

_WORDS, _SKETCH, _ROWS = "words.u32", "sketch.u8", "rows.npz"


class RowWords:
    """The words of every row, and its facts, out of a folder that `Columns` wrote: in any process."""

    def __init__(self, folder: Path) -> None:
        with os_errors(folder), np.load(folder / _ROWS) as rows:
            self._keys, self._starts, self._answers = (
                rows[name] for name in ("keys", "starts", "answers")
            )
            self._spelled = SpelledWords(folder)
        self._words = mapped(folder / _WORDS, np.uint32)
        # A row is compared with several.
        self._row = lru_cache(MOST_KEPT_ROWS)(self._read)

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, i: int) -> Wording:
        return self._row(i)

    def _read(self, i: int) -> Wording:
        start, answer, end = self._starts[i], self._answers[i], self._starts[i + 1]
        return Wording(
            self._words[start + 1 : answer],
            self._words[answer + 1 : end],
            int(self._keys[i]),
            self._spelled,
        )

    def is_once(self, number: int) -> bool:
        """Does the word of this number stand once in all rows?"""
        return self._spelled.is_once(number)


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
        parts: dict[str, list[NDArray[Any]]] = {}
        names = ["places", "ids", "texts"]
        names += ["keys", "starts", "answers"] if with_near else []
        sizes, num_words = [], 0
        spelling = SpellingWriter(folder)
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
        self.ids, self.texts = joined["ids"], joined["texts"]
        if with_near:
            spelling.end()
            np.savez(
                folder / _ROWS,
                allow_pickle=False,
                keys=joined["keys"],
                starts=np.append(joined["starts"], num_words),
                answers=joined["answers"],
            )
            self._words = RowWords(folder)
            self._sketch = mapped(folder / _SKETCH, np.uint8).reshape(-1, NUM_HASHES)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> Wording:
        return self._words[i]

    def band(self, number: int, bands: Bands) -> NDArray[np.uint64]:
        """Each row's hash of one band, from its file."""
        assert number < bands.number
        return np.fromfile(self.folder / f"band-{number:03d}.u64", np.uint64)

    def is_once(self, number: int) -> bool:
        """Does the word of this number stand once in all rows?"""
        return self._words.is_once(number)

    def agreement(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each pair, the share of hashes whose lowest byte agrees, less what chance gives."""
        one, other = (self._sketch[side] for side in pairs.T)
        agreeing: NDArray[np.float64] = ((one == other).mean(axis=1) - 1 / 256) / (1 - 1 / 256)
        return agreeing

    def delete(self) -> None:
        """Give the disk its space back; only `places` may be used after."""
        for path in self.folder.iterdir():
            # A file that is mapped keeps its space until it is cut.
            os.truncate(path, 0)
            path.unlink()

    def _append(self, chunk: Any) -> None:  # Any: numpy's open archive
        columns = {
            _WORDS: chunk["words"],
            _SKETCH: chunk["sketch"],
        }
        for name, column in [*columns.items(), *_bands(chunk)]:
            with (self.folder / name).open("ab") as file:
                column.tofile(file)


def _bands(chunk: Any) -> Iterator[tuple[str, NDArray[np.uint64]]]:  # Any: numpy's open archive
    for number, band in enumerate(chunk["bands"]):
        yield f"band-{number:03d}.u64", band
