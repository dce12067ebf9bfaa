"""What `rag` is pointed at, and what is believed of an index that somebody else may have made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from finewright.errors import DataError
from finewright.schema.passages import Document
from finewright_rag.indexing.build import build_index
from finewright_rag.indexing.target import access_of, index_of, open_target, target_of
from finewright_rag.stores.index import FORMAT, About
from finewright_rag.stores.sqlite import create


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "rag.yml"
    path.write_text("name: a\nrag: {documents: [docs], index: i.sqlite, embedder: none}\n")
    return path


class Two:
    """An embedder to which all texts are the same."""

    dimensions = 2
    num_cut = 0

    def __init__(self, id: str) -> None:
        self.id = id

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))

    queries = documents


def made_by(path: Path, embedder: Two | None) -> Path:
    id, dimensions = (embedder.id, 2) if embedder else ("", 0)
    index = create(path, About(FORMAT, id, dimensions, 1200, {"lexical": 1.0}))
    build_index(index, embedder, [Document("a", "A")], 1200)
    index.close()
    return path


def test_paths_of_a_spec_lead_from_its_folder_and_given_ones_from_here(spec: Path) -> None:
    asked = target_of([str(spec)], out="out.sqlite")
    assert asked.spec.index == "out.sqlite"
    assert asked.resolve("out.sqlite") == Path("out.sqlite")
    assert asked.resolve("docs") == spec.parent / "docs"
    assert target_of([str(spec)]).resolve("i.sqlite") == spec.parent / "i.sqlite"
    away = target_of([str(spec)], out="qdrant:store?language=german", embedder="models/e")
    assert away.resolve("store") == Path("store")
    assert away.resolve("models/e") == Path("models/e")


def test_documents_alone_are_a_spec_with_its_defaults() -> None:
    asked = target_of(["docs", "a.jsonl"])
    assert asked.spec.documents == ("docs", "a.jsonl")
    assert (asked.spec.index, asked.spec.embedder) == ("index.sqlite", "wordllama")
    assert asked.resolve("docs") == Path("docs")


def test_an_index_is_named_by_a_spec_by_its_place_or_beside_its_documents(spec: Path) -> None:
    assert index_of([str(spec)]).spec.index == "i.sqlite"
    assert index_of(["b.sqlite"]).spec.index == "b.sqlite"
    assert index_of(["docs"], out="b.sqlite").spec.index == "b.sqlite"


def test_an_index_brings_the_name_of_its_embedder_along(tmp_path: Path) -> None:
    path = made_by(tmp_path / "a.sqlite", None)
    with open_target(str(path)) as opened:
        assert opened.embedder is None
        assert opened.index.counts().documents == 1


@pytest.mark.parametrize("id", ["my-model@0123456789ab", "embed@evil.example/v1", "x", "a@b@c"])
def test_a_folder_or_an_endpoint_that_an_index_names_is_not_followed(
    tmp_path: Path, id: str
) -> None:
    path = made_by(tmp_path / "a.sqlite", Two(id))
    with (
        pytest.raises(DataError, match="which does not come along") as raised,
        open_target(str(path)),
    ):
        pass
    assert "--embedder FOLDER" in raised.value.hint


def test_a_password_is_in_no_message() -> None:
    target = "postgresql://me:secret@localhost/docs?sslmode=require"
    assert target_of(["docs"], out=target).place == "postgresql://me@localhost/docs#finewright"


def test_who_asks_is_the_public_unless_it_is_said() -> None:
    assert access_of([], is_owner=False) == frozenset()
    assert access_of(["hr", "it"], is_owner=False) == {"hr", "it"}
    assert access_of([], is_owner=True) is None
    with pytest.raises(DataError, match="do not go together"):
        access_of(["hr"], is_owner=True)


@pytest.mark.parametrize(
    ("given", "what"), [("", "argument 1 is empty"), ("\udcff", "is not UTF-8")]
)
def test_what_is_no_text_is_refused(given: str, what: str) -> None:
    for ask in (target_of, index_of):
        with pytest.raises(DataError, match=what):
            ask([given])


def test_a_group_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="is not UTF-8"):
        access_of(["h\udcff"], is_owner=False)
