"""Rows as columns that near-duplicates are found by: of one slice or of many, in memory or in files."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.minhash import NUM_HASHES, band_hashes, bands_for, signatures
from finewright.guard.duplicates.words import Wording, Wordings, uncapital

# A row is compared with several.
_MOST_KEPT_ROWS = 2_000
# About 30 MB; to read a word from its file takes some microseconds.
_MOST_KEPT_WORDS = 200_000
Array = NDArray[Any]  # Any: of the type its name says


def columns_of(rows: Wordings, similarity: float) -> dict[str, Array]:
    """The columns of `SignedRows`: the words of each row, so that the check is exact, and its hashes."""
    bands = bands_for(similarity)
    signed = signatures(rows)
    parts = [signed[i * bands.size : (i + 1) * bands.size] for i in range(bands.number)]
    return {
        "keys": rows.keys,
        "texts": rows.texts,
        "words": rows.words,
        "starts": rows.starts,
        "answers": rows.answers,
        "bands": np.stack([band_hashes(part, rows.keys) for part in parts]),
        # The lowest byte of each hash: enough to tell unlike rows (Li and König 2010, b-bit minwise hashing).
        "sketch": np.ascontiguousarray(signed.T.astype(np.uint8)).reshape(-1, NUM_HASHES),
        **_columns_of_spelling(rows),
    }


def _columns_of_spelling(rows: Wordings) -> dict[str, Array]:
    """The columns of `SpelledWords`."""
    known = np.array(sorted(rows.spelled), np.uint32)
    numbers, counts = np.unique(uncapital(rows.words), return_counts=True)
    encoded = [rows.spelled[n].encode("utf-8", "surrogatepass") for n in known.tolist()]
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
    return {
        "known": known,
        "counts": counts[np.searchsorted(numbers, known)],
        "begins": np.append(0, ends)[: len(known)],
        "ends": ends,
        "letters": np.frombuffer(b"".join(encoded), np.uint8),
    }


class _SpelledWord(NamedTuple):
    word: str
    is_once: bool


class SpelledWords:
    """The word of each number of all rows, but of facts: number `known[i]` is spelled by the `letters` from
    `begins[i]` to `ends[i]`, and stands `counts[i]` times. Those that were asked for stay in memory."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self._columns = columns
        self._word = lru_cache(_MOST_KEPT_WORDS)(self._read)

    def __getitem__(self, number: int) -> str:
        return self._word(number).word

    def is_once(self, number: int) -> bool:
        """Whether the word of this number stands once in all rows."""
        return self._word(number).is_once

    def _read(self, number: int) -> _SpelledWord:
        columns = self._columns
        known = columns["known"]
        at = int(np.searchsorted(known, np.uint32(number)))
        if at == len(known) or known[at] != number:
            raise KeyError(number)
        letters = columns["letters"][columns["begins"][at] : columns["ends"][at]]
        word = letters.tobytes().decode("utf-8", "surrogatepass")
        return _SpelledWord(word, bool(columns["counts"][at] == 1))


class SignedRows:
    """Rows as `columns_of` gives them, or those of several slices joined.

    `band` gives each row's hash of one band, where the `bands` are not among the columns."""

    def __init__(
        self, columns: Mapping[str, Array], band: Callable[[int], NDArray[np.uint64]] | None = None
    ) -> None:
        self._columns = columns
        self.band = band or columns["bands"].__getitem__
        self._spelled = SpelledWords(columns)
        self._row = lru_cache(_MOST_KEPT_ROWS)(self._read)

    def __len__(self) -> int:
        return len(self._columns["keys"])

    def __getitem__(self, i: int) -> Wording:
        return self._row(i)

    @property
    def texts(self) -> NDArray[np.uint64]:
        """Of each row a number that rows have in common of which all that counts is the same."""
        return self._columns["texts"]

    def agreement(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each pair, the share of hashes that agree: an estimate of its Jaccard similarity.

        The share of lowest bytes that agree, less what chance gives."""
        one, other = (self._columns["sketch"][side] for side in pairs.T)
        agreeing: NDArray[np.float64] = ((one == other).mean(axis=1) - 1 / 256) / (1 - 1 / 256)
        return agreeing

    def _read(self, i: int) -> Wording:
        words, starts = self._columns["words"], self._columns["starts"]
        start, answer, end = starts[i], self._columns["answers"][i], starts[i + 1]
        key = int(self._columns["keys"][i])
        return Wording(words[start + 1 : answer], words[answer + 1 : end], key, self._spelled)
