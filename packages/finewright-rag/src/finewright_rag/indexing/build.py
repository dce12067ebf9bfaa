"""Documents into an index: cut, embedded some hundred chunks at a time, and put in one transaction."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from finewright.lm.embedders.embedder import Embedder
from finewright.schema.passages import Chunk, Document
from finewright_rag.indexing.chunk import chunks, text_to_index
from finewright_rag.stores.index import Index, IndexChanges, Indexed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 256
"""Chunks embedded together: models are fast on batches, and their vectors are a megabyte."""


def build_index(
    index: Index, embedder: Embedder | None, documents: Iterable[Document], chunk_chars: int
) -> IndexChanges:
    """Add what is new, replace what has changed, and leave the rest; documents that are gone stay.

    All or nothing: of documents that raise, or an embedder that does, nothing is kept. Memory holds one
    batch. Raises DataError where two changed documents have one id."""
    known = index.digests()
    num_unchanged = 0

    def find_changed() -> Iterator[Document]:
        nonlocal num_unchanged
        for document in documents:
            if known.get(document.id) == document.sha256:
                num_unchanged += 1
            else:
                yield document

    done = index.put(_index_batches(find_changed(), embedder, chunk_chars))
    return done._replace(unchanged=done.unchanged + num_unchanged)


def _index_batches(
    documents: Iterable[Document], embedder: Embedder | None, chunk_chars: int
) -> Iterator[Indexed]:
    batch: list[tuple[Document, list[Chunk]]] = []
    num_chunks = 0
    for document in documents:
        found = chunks(document, chunk_chars)
        batch.append((document, found))
        num_chunks += len(found)
        if num_chunks >= _AT_ONCE:
            yield from _embed_batch(batch, embedder)
            batch, num_chunks = [], 0
    yield from _embed_batch(batch, embedder)


def _embed_batch(
    batch: list[tuple[Document, list[Chunk]]], embedder: Embedder | None
) -> Iterator[Indexed]:
    if embedder is None:
        yield from (Indexed(document, found, None) for document, found in batch)
        return
    vectors = _vectors(batch, embedder)
    start = 0
    for document, found in batch:
        yield Indexed(document, found, vectors[start : start + len(found)])
        start += len(found)


def _vectors(
    batch: list[tuple[Document, list[Chunk]]], embedder: Embedder
) -> "NDArray[np.float32]":
    """The vectors of all chunks, one after the other."""
    import numpy as np

    texts = [text_to_index(document, chunk) for document, found in batch for chunk in found]
    return embedder.documents(texts) if texts else np.empty((0, embedder.dimensions), np.float32)
