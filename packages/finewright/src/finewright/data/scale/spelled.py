"""The words of all chunks by their numbers in files: what words that differ are looked up in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.words import is_fact

_LETTERS, _KNOWN = "spelled.u8", "spelled.npz"
_MOST_PENDING = 1 << 22
# About 30 MB; to read one from its file takes some microseconds.
_MOST_KEPT = 200_000


@dataclass(slots=True)
class SpellingWriter:
    """Writes the words of one chunk after another into a folder.

    Of two words of one number the first is kept, as where all rows are in memory."""

    folder: Path
    _parts: list[NDArray[np.int64]] = field(default_factory=list)
    _num_pending: int = 0
    _num_letters: int = 0

    def add(self, chunk: Mapping[str, NDArray[Any]]) -> None:
        """Take the chunk's `known` numbers, in order, their `counts`, and the letters of each in `spelled`,
        up to `ends`."""
        known, ends, letters = chunk["known"], chunk["ends"], chunk["spelled"]
        with (self.folder / _LETTERS).open("ab") as file:
            letters.tofile(file)
        ends = ends + self._num_letters
        starts = np.append(self._num_letters, ends)[: len(known)]
        self._parts.append(np.stack([known.astype(np.int64), starts, ends, chunk["counts"]]))
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
        known, starts, ends, counts = self._parts[0]
        np.savez(
            self.folder / _KNOWN,
            known=known.astype(np.uint32),
            starts=starts,
            ends=ends,
            once=counts == 1,
        )


class SpelledWords(dict[int, str]):
    """The words that a `SpellingWriter` wrote, by their numbers; those that were asked for stay in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        with np.load(folder / _KNOWN) as file:
            self._known, self._starts, self._ends, self._once = (
                file[name] for name in ("known", "starts", "ends", "once")
            )
        self._letters = mapped(folder / _LETTERS, np.uint8)

    def is_once(self, number: int) -> bool:
        """Does the word of this number stand once in all rows?"""
        return bool(self._once[self._place(number)])

    def _place(self, number: int) -> int:
        at = int(np.searchsorted(self._known, np.uint32(number)))
        if at == len(self._known) or self._known[at] != number:
            raise KeyError(number)
        return at

    def __missing__(self, number: int) -> str:
        at = self._place(number)
        letters = self._letters[self._starts[at] : self._ends[at]]
        if len(self) == _MOST_KEPT:
            self.clear()
        self[number] = word = letters.tobytes().decode("utf-8", "surrogatepass")
        return word

    def get(self, number: int, /) -> str | None:  # type: ignore[override]  # nobody gives a default
        """The folded word; None where the number is a fact's."""
        return None if is_fact(number) else self[number]


def mapped(path: Path, dtype: Any) -> NDArray[Any]:  # Any: numpy's own
    """The numbers in a file, read where they are asked for."""
    # An empty file cannot be mapped; and a part of a plain array is made ten times sooner.
    return np.asarray(np.memmap(path, dtype, "r")) if path.stat().st_size else np.empty(0, dtype)
