"""An index is brought up to date whole or not at all, and only what has changed is embedded."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from finewright.schema.passages import Document
from finewright_rag.indexing.build import build_index
from finewright_rag.indexing.chunk import chunks, text_to_index
from finewright_rag.stores.index import FORMAT, About, Index
from finewright_rag.stores.sqlite import create, open_existing

CHARS = 200


class Letters:
    """Embeds a text by how often it has each of four letters."""

    id = "letters@1"
    dimensions = 4
    num_cut = 0

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        counts = np.array([[1 + text.count(letter) for letter in "aeio"] for text in texts])
        unit: NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return unit.astype(np.float32)

    queries = documents


def document(id: str, text: str = "Some words.", version: str = "1") -> Document:
    return Document(id, text, title=f"Title {id}", sha256=f"{id} {version}")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    about = About(FORMAT, Letters.id, Letters.dimensions, CHARS, {"lexical": 1.0, "dense": 1.0})
    made = create(tmp_path / "index.sqlite", about)
    yield made
    made.close()


def test_every_chunk_is_kept_with_the_vector_of_what_is_searched_for_it(index: Index) -> None:
    embedder = Letters()
    long = document("long", "\n\n".join(f"Paragraph {i} on oaks and ivy." for i in range(40)))
    assert build_index(index, embedder, [document("a"), long], CHARS) == (2, 0, 0)
    expected = [text_to_index(d, c) for d in (document("a"), long) for c in chunks(d, CHARS)]
    assert [text for batch in embedder.batches for text in batch] == expected
    assert index.counts().chunks == len(expected) > 5
    for text in expected:
        (nearest,) = index.nearest(embedder.documents([text])[0], 1, None)
        assert nearest.score == pytest.approx(1, abs=1e-3)


def test_what_is_unchanged_is_not_embedded_again(index: Index) -> None:
    build_index(index, Letters(), [document("a"), document("b")], CHARS)
    embedder = Letters()
    after = [document("a"), document("b", "Other words.", "2"), document("c")]
    assert build_index(index, embedder, after, CHARS) == (1, 1, 1)
    assert [len(batch) for batch in embedder.batches] == [2]
    assert index.digests() == {"a": "a 1", "b": "b 2", "c": "c 1"}


def test_documents_are_embedded_some_hundred_chunks_at_a_time(index: Index) -> None:
    embedder = Letters()
    read = 0

    def stream() -> Iterator[Document]:
        nonlocal read
        for number in range(1000):
            read = number
            # A batch is on its way before the next is read.
            assert sum(map(len, embedder.batches)) >= number - 256
            yield document(str(number))

    assert build_index(index, embedder, stream(), CHARS).added == 1000
    assert read == 999
    assert [len(batch) for batch in embedder.batches] == [256, 256, 256, 232]


def broken(at: int) -> Iterator[Document]:
    for number in range(at):
        yield document(str(number), version="2")
    raise RuntimeError("the disk is gone")


class Failing(Letters):
    """Embeds one batch."""

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.batches:
            raise RuntimeError("the endpoint is gone")
        return super().documents(texts)


@pytest.mark.parametrize("embedder", [Letters(), Failing()], ids=["documents", "embedder"])
def test_of_an_update_that_fails_nothing_is_kept(
    tmp_path: Path, index: Index, embedder: Letters
) -> None:
    build_index(index, Letters(), [document("0"), document("x")], CHARS)
    with pytest.raises(RuntimeError, match="is gone"):
        build_index(index, embedder, broken(600), CHARS)
    index.close()
    again = open_existing(tmp_path / "index.sqlite")
    assert again.digests() == {"0": "0 1", "x": "x 1"}
    assert [hit.score for hit in again.lexical("words", 10, None)]
    again.close()


def test_a_first_build_that_fails_leaves_no_file(tmp_path: Path, index: Index) -> None:
    with pytest.raises(RuntimeError, match="the disk is gone"):
        build_index(index, Letters(), broken(300), CHARS)
    index.close()
    assert list(tmp_path.iterdir()) == []


def test_without_an_embedder_there_are_no_vectors(tmp_path: Path) -> None:
    index = create(tmp_path / "words.sqlite", About(FORMAT, "", 0, CHARS, {"lexical": 1.0}))
    assert build_index(index, None, [document("a"), document("b")], CHARS).added == 2
    assert index.nearest(np.ones(4, np.float32) / 2, 5, None) == []
    assert len(index.lexical("words", 5, None)) == 2
    index.close()


def test_a_document_of_headings_alone_is_kept_without_chunks(index: Index) -> None:
    assert build_index(index, Letters(), [document("a", "# One\n## Two\n")], CHARS).added == 1
    assert index.counts() == (1, 0)
