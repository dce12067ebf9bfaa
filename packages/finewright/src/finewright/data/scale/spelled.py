"""The words of all chunks by their numbers, written to files: what words that differ are looked up in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.signed import Array

LETTERS, KNOWN = "letters.u8", "known.npz"
_MOST_PENDING = 1 << 22


@dataclass(slots=True)
class SpellingWriter:
    """Writes the words of one chunk after another into a folder.

    Of two words of one number the first is kept, as where all rows are in memory."""

    folder: Path
    _parts: list[NDArray[np.int64]] = field(default_factory=list)
    _num_pending: int = 0
    _num_letters: int = 0

    def add(self, chunk: Mapping[str, Array]) -> None:
        """Take the columns of the chunk's `SpelledWords`."""
        known, letters = chunk["known"], chunk["letters"]
        with (self.folder / LETTERS).open("ab") as file:
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
            self.folder / KNOWN,
            known=known.astype(np.uint32),
            begins=begins,
            ends=ends,
            counts=counts,
        )
