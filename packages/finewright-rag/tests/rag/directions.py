"""A small index whose vectors are known: an embedder that gives a text the direction of its topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finewright_rag.indexing.build import build_index
from finewright_rag.stores.index import FORMAT, About, Index
from finewright_rag.stores.open import create_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from finewright.schema.passages import Document

TOPICS = (("card", "payment"), ("loan", "mortgage"), ("travel", "abroad"))


class Topics:
    """Each dimension is a topic: texts on one topic are alike, whatever words of it they use."""

    id = "topics"
    dimensions = len(TOPICS) + 1

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """How often each topic is named, and a little of what all texts share."""
        rows = [
            [*(sum(text.lower().count(word) for word in topic) for topic in TOPICS), 0.1]
            for text in texts
        ]
        vectors = np.array(rows, dtype=np.float32).reshape(len(texts), self.dimensions)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As documents."""
        return self.documents(texts)


def index_of(
    folder: Path,
    documents: Sequence[Document],
    *,
    embedder: Topics | None = None,
    weights: Mapping[str, float] | None = None,
) -> Index:
    """A new index of the documents in the folder."""
    about = About(
        FORMAT,
        embedder.id if embedder else "",
        embedder.dimensions if embedder else 0,
        400,
        weights or {"lexical": 1.0, "dense": 1.0},
    )
    index = create_index("index.sqlite", folder.joinpath, about)
    build_index(index, embedder, documents, 400)
    return index
