"""The chunks of all slices as columns on disk: what near-duplicates are found by, one band at a time."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.minhash import NUM_HASHES, Bands
from finewright.guard.duplicates.words import Wording
from finewright.store.atomic import os_errors

_WORDS, _SKETCH, _ROWS = "words.u32", "sketch.u8", "rows.npz"
# About 30 MB; to read one from its file takes 15 us.
_MOST_SPELLED = 200_000
_KNOWN, _ENDS, _SPELLED = "known.u32", "ends.i64", "spelled.u8"


class RowWords:
    """The words of every row, and its facts, out of a folder that `Columns` wrote: in any process.

    Row i of all is row `i - offsets[c]` of chunk c."""

    def __init__(self, folder: Path) -> None:
        with os_errors(folder), np.load(folder / _ROWS) as rows:
            self.offsets, self._keys = rows["offsets"], rows["keys"]
            self._starts, self._answers = rows["starts"], rows["answers"]
            self._fact_bits: NDArray[np.uint64] = rows["fact_bits"]
            known, spelled = rows["num_known"].tolist(), rows["num_spelled"].tolist()
        self._words = _mapped(folder / _WORDS, np.uint32)
        self._vocabularies = _vocabularies(folder, known, spelled)

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, i: int) -> Wording:
        start, answer, end = self._starts[i], self._answers[i], self._starts[i + 1]
        return Wording(
            self._words[start + 1 : answer],
            self._words[answer + 1 : end],
            int(self._keys[i]),
            self._vocabularies[_chunk_of(self.offsets, i)],
        )

    def fact_bits(self) -> NDArray[np.uint64]:
        """Each row's facts, asked and answered."""
        return self._fact_bits


class Columns:
    """Of every row that may be kept: its id and its hashes in memory (80 bytes), the rest in files.

    Row i of all is row `i - offsets[c]` of chunk c."""

    def __init__(self, chunks: Sequence[Path], folder: Path, *, with_near: bool) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        parts: dict[str, list[NDArray[Any]]] = {}
        names = ["places", "ids", "texts", "facts"]
        names += ["keys", "starts", "answers", "fact_bits"] if with_near else []
        sizes, num_words = [], 0
        known, spelled = [0], [0]
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
                    known.append(known[-1] + len(chunk["known"]))
                    spelled.append(spelled[-1] + len(chunk["spelled"]))
        joined = {name: np.concatenate(columns, axis=-1) for name, columns in parts.items()}
        self.offsets = np.cumsum([0, *sizes])
        self.places, self.ids, self.texts = (joined[name] for name in ("places", "ids", "texts"))
        self._facts = joined["facts"]
        if with_near:
            np.savez(
                folder / _ROWS,
                allow_pickle=False,
                offsets=self.offsets,
                keys=joined["keys"],
                starts=np.append(joined["starts"], num_words),
                answers=joined["answers"],
                fact_bits=joined["fact_bits"],
                num_known=known,
                num_spelled=spelled,
            )
            self._words = RowWords(folder)
            self._sketch = _mapped(folder / _SKETCH, np.uint8).reshape(-1, NUM_HASHES)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> Wording:
        return self._words[i]

    def band(self, number: int, bands: Bands) -> NDArray[np.uint64]:
        """Each row's hash of one band, from its file."""
        assert number < bands.number
        return np.fromfile(self.folder / f"band-{number:03d}.u64", np.uint64)

    def facts(self) -> NDArray[np.uint64]:
        """Each row's hash of its facts."""
        return self._facts

    def fact_bits(self) -> NDArray[np.uint64]:
        """Each row's facts, asked and answered."""
        return self._words.fact_bits()

    def agreement(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each pair, the share of hashes whose lowest byte agrees, less what chance gives."""
        one, other = (self._sketch[side] for side in pairs.T)
        agreeing: NDArray[np.float64] = ((one == other).mean(axis=1) - 1 / 256) / (1 - 1 / 256)
        return agreeing

    def _append(self, chunk: Any) -> None:  # Any: numpy's open archive
        columns = {
            _WORDS: chunk["words"],
            _SKETCH: chunk["sketch"],
            _KNOWN: chunk["known"],
            _ENDS: chunk["ends"],
            _SPELLED: chunk["spelled"],
        }
        for name, column in [*columns.items(), *_bands(chunk)]:
            with (self.folder / name).open("ab") as file:
                column.tofile(file)


@dataclass(frozen=True, eq=False, slots=True)
class _Vocabulary:
    """The words of one chunk by their numbers, in files; `spelling` keeps those that were last asked for."""

    known: NDArray[np.uint32]
    ends: NDArray[np.int64]
    letters: NDArray[np.uint8]
    spelling: Callable[["_Vocabulary", int], str | None]

    def get(self, number: int, /) -> str | None:
        """The folded word; None where the number is a fact's."""
        return self.spelling(self, number)


def _spelling(vocabulary: _Vocabulary, number: int) -> str | None:
    known, ends = vocabulary.known, vocabulary.ends
    at = int(np.searchsorted(known, np.uint32(number)))
    if at == len(known) or known[at] != number:
        return None
    start = int(ends[at - 1]) if at else 0
    return vocabulary.letters[start : ends[at]].tobytes().decode("utf-8", "surrogatepass")


def _vocabularies(folder: Path, known: list[int], spelled: list[int]) -> list[_Vocabulary]:
    numbers, ends = _mapped(folder / _KNOWN, np.uint32), _mapped(folder / _ENDS, np.int64)
    texts = _mapped(folder / _SPELLED, np.uint8)
    words, letters = itertools.pairwise(known), itertools.pairwise(spelled)
    spelling = lru_cache(_MOST_SPELLED)(_spelling)
    return [
        _Vocabulary(numbers[a:b], ends[a:b], texts[c:d], spelling)
        for (a, b), (c, d) in zip(words, letters, strict=True)
    ]


class ChunkPlace(NamedTuple):
    """The chunk (by its position) and the row in it."""

    chunk: int
    row: int


def place_of(columns: Columns, i: int) -> ChunkPlace:
    """Where row i of all is."""
    chunk = _chunk_of(columns.offsets, i)
    return ChunkPlace(chunk, i - int(columns.offsets[chunk]))


def _chunk_of(offsets: NDArray[np.int64], i: int) -> int:
    return int(np.searchsorted(offsets, i, side="right")) - 1


def _bands(chunk: Any) -> Iterator[tuple[str, NDArray[np.uint64]]]:  # Any: numpy's open archive
    for number, band in enumerate(chunk["bands"]):
        yield f"band-{number:03d}.u64", band


def _mapped(path: Path, dtype: Any) -> NDArray[Any]:  # Any: numpy's own
    # An empty file cannot be mapped; and a part of a plain array is made ten times sooner.
    return np.asarray(np.memmap(path, dtype, "r")) if path.stat().st_size else np.empty(0, dtype)
