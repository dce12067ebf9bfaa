"""What an index of documents does, whatever holds it, and the records that go in and come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from finewright.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from finewright.schema.passages import Access, Chunk, Counts, Document, Passage
    from finewright_rag.search.calibration import Calibration

FORMAT = 1
"""The version of what an index holds; a newer one is refused by name."""

Resolve = Callable[[str], Path]
"""From a path as written to one that can be opened, relative to the spec file for instance."""


class NoIndex(DataError):  # noqa: N818 - reads as a claim where it is raised
    """There is nothing yet at the place of the index, so that one can be made there."""


class Indexed(NamedTuple):
    """A document with its chunks and a vector of length 1 for each, (chunks, dimensions), if it has them."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32] | None


class RankedChunk(NamedTuple):
    """A chunk by its number in the index, and how well it suits: the higher the better."""

    chunk_id: int
    score: float


class IndexChanges(NamedTuple):
    """What an update did to documents."""

    added: int
    replaced: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class About:
    """What the index was made with. `embedder` is empty where there are no vectors.

    `weights` says how much each ranking counts (`lexical`, `dense`) for a question in the documents' own
    words, `other_weights` for one in other words; without these, `weights` hold for all. Without a
    `calibration` nobody knows when to say that no document has this. `is_tuned` says that somebody has tried:
    an index that was stopped before is not."""

    format: int
    embedder: str
    dimensions: int
    chunk_chars: int
    weights: Mapping[str, float]
    other_weights: Mapping[str, float] | None = None
    calibration: Calibration | None = None
    is_tuned: bool = False


def takes_vector(place: str, about: About, vector: NDArray[np.float32]) -> bool:
    """Whether the index has vectors to compare this one with. Raises DataError where they are of another
    length."""
    if about.dimensions and len(vector) != about.dimensions:
        raise DataError(
            f"{place}: made by {about.embedder} with {about.dimensions} dimensions, asked with {len(vector)}",
            hint="search with the embedder that it was made by",
        )
    return bool(about.dimensions)


class Index(Protocol):
    """Documents by id, their chunks and vectors. Every change is one transaction: all of it or nothing."""

    about: About

    def put(self, batch: Iterable[Indexed]) -> IndexChanges:
        """Add documents and replace those of the same id; one whose `sha256` is unchanged stays as it is.

        Of an iterator that raises, nothing is kept."""

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents with their chunks and vectors, so that no byte of their text is left in the
        store's own files; how many there were."""

    def digests(self) -> dict[str, str]:
        """Document id -> sha256."""

    def find_restricted(self) -> set[str]:
        """The ids of the documents that are for some groups alone."""

    def lexical(self, query: str, limit: int, access: Access) -> list[RankedChunk]:
        """Chunks that have words of the query, the best first. Any text is a query: none is syntax."""

    def nearest(self, vector: NDArray[np.float32], limit: int, access: Access) -> list[RankedChunk]:
        """Chunks by cosine with a vector of length 1, the nearest first; none without vectors."""

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """The chunks of these numbers, in this order."""

    def vectors(self, chunk_ids: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of these chunks, (n, dimensions)."""

    def counts(self) -> Counts:
        """How many documents and chunks there are."""

    def ceiling(self, query: str, access: Access = None) -> float:
        """The most that a chunk could score by words: the sum over the query's words of the best score that
        any chunk that the asker may see has for the word alone. A word that none of these has counts as the
        rarest there can be; one so common that it hardly counts may be left out."""

    def remember(
        self,
        weights: Mapping[str, float],
        other_weights: Mapping[str, float] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Keep what was tuned, or that it was not; `about` has it from here on."""

    def close(self) -> None:
        """Let go of files and connections."""


class IndexStore(Protocol):
    """A kind of index, found by the scheme of its addresses: `acme` for `acme:NAME` and `acme://HOST/NAME`.

    Its class is called without arguments, and does nothing until it is asked for an index."""

    def open(self, address: str, resolve: Resolve) -> Index:
        """The index that is there. Raises NoIndex where there is none, DataError for whatever else."""

    def create(self, address: str, resolve: Resolve, about: About) -> Index:
        """An empty index where there must be none; others see it once a `put` has ended well."""

    def show_address(self, address: str) -> str:
        """The address as it may be printed and kept in reports: without a password."""
