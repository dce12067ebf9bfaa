"""Documents, directions and a place to keep them, for the suite of indexes and for tests beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finewright.schema.passages import Document
from finewright_rag.indexing.chunk import chunks
from finewright_rag.stores.index import FORMAT, About, Index, Indexed
from finewright_rag.stores.open import create_index, open_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DIMENSIONS = 8


@dataclass(frozen=True)
class Store:
    """An address where there is no index at the start of a test, and how to read all bytes of its files."""

    address: str
    files: Callable[[], bytes] | None = None

    def create(self, about: About) -> Index:
        """A new index there, made as `finewright rag index` makes it."""
        return create_index(self.address, Path, about)

    def open(self) -> Index:
        """The index that is there, as another process would open it."""
        return open_index(self.address, Path)

    def content(self) -> bytes | None:
        """All bytes of the store's own files, or None where they cannot be read."""
        return self.files() if self.files else None


def about(*, dimensions: int = DIMENSIONS) -> About:
    return About(
        format=FORMAT,
        embedder="directions" if dimensions else "",
        dimensions=dimensions,
        chunk_chars=200,
        weights={"lexical": 1.0, "dense": 0.25} if dimensions else {"lexical": 1.0},
    )


def document(id: str, text: str, *, groups: tuple[str, ...] = (), title: str = "") -> Document:
    digest = hashlib.sha256(repr((text, title, groups)).encode()).hexdigest()
    return Document(
        id,
        text,
        title=title,
        source=f"docs/{id}.md",
        license="CC0-1.0",
        groups=groups,
        sha256=digest,
    )


def direction(*parts: float) -> NDArray[np.float32]:
    """The vector of length 1 with these first parts."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[: len(parts)] = parts
    return vector / np.linalg.norm(vector)


def make_indexed(document: Document, *directions: NDArray[np.float32]) -> Indexed:
    """The document's chunks, each with its direction; the last one serves for the rest."""
    cut = chunks(document, 200)
    every = [*directions, *[directions[-1] if directions else direction(1)] * len(cut)]
    return Indexed(
        document, cut, np.stack(every[: len(cut)]) if cut else np.zeros((0, DIMENSIONS), np.float32)
    )


def find_by_words(index: Index, query: str, access: frozenset[str] | None = None) -> list[str]:
    """The documents that words find, the best first."""
    ranked = index.lexical(query, 100, access)
    assert [r.score for r in ranked] == sorted((r.score for r in ranked), reverse=True)
    return list(dict.fromkeys(p.document for p in index.passages([r.chunk_id for r in ranked])))


def near(
    index: Index,
    vector: NDArray[np.float32],
    access: frozenset[str] | None = None,
    limit: int = 100,
) -> list[str]:
    ranked = index.nearest(vector, limit, access)
    assert [r.score for r in ranked] == sorted((r.score for r in ranked), reverse=True)
    return [p.document for p in index.passages([r.chunk_id for r in ranked])]


ALLOWANCES = document(
    "allowances",
    "# Allowances\n\nThe owner approves a spender.\n\n## Limits\n\nAn allowance is spent by transfers.",
    title="Tokens",
)
FEES = document("fees", "# Fees\n\nMonthly charges are taken on the first day.")
PAYROLL = document(
    "payroll", "# Payroll\n\nSalaries and charges are secret.", groups=("staff", "board")
)
