"""An index is opened by where it is, and searched by none but the embedder that it was made by."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from finewright import plugins
from finewright.errors import DataError, MissingExtra
from finewright_rag.conformance.documents import FEES, about, make_indexed
from finewright_rag.stores.open import (
    check_embedder,
    create_index,
    open_index,
    path_in,
    show_target,
)
from finewright_rag.stores.sqlite import SqliteIndex


class Directions:
    id = "directions"
    dimensions = 8

    def documents(self, texts: list[str]) -> NDArray[np.float32]:
        return np.eye(len(texts), 8, dtype=np.float32)

    queries = documents


def test_a_path_is_a_file_where_the_spec_says(tmp_path: Path):
    made = create_index("index.sqlite", tmp_path.joinpath, about())
    made.put([make_indexed(FEES)])
    made.close()
    assert (tmp_path / "index.sqlite").is_file()
    opened = open_index("index.sqlite", tmp_path.joinpath)
    assert isinstance(opened, SqliteIndex)
    assert opened.digests() == {"fees": FEES.sha256}
    opened.close()


@pytest.mark.parametrize(
    "target", ["mysql://me:secret@host/db", "http://host/index", "s3://bucket/key"]
)
def test_an_unknown_kind_of_place_is_refused_with_the_known_ones(tmp_path: Path, target: str):
    for run in (
        lambda: open_index(target, tmp_path.joinpath),
        lambda: create_index(target, tmp_path.joinpath, about()),
    ):
        with pytest.raises(DataError, match="no index can be kept there") as raised:
            run()
        assert "secret" not in str(raised.value)
        assert "postgresql://" in raised.value.hint


def test_without_numpy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingExtra, match="needs numpy") as raised:
        create_index("index.sqlite", tmp_path.joinpath, about())
    assert raised.value.hint == 'pip install "finewright[rag]"'


@pytest.mark.parametrize(
    ("target", "extra"),
    [
        ("postgresql://me:secret@host/docs", "postgres"),
        ("qdrant:store", "qdrant"),
        ("qdrant+https://host/c", "qdrant"),
    ],
)
def test_an_index_whose_package_is_not_installed_is_one_line_with_its_extra(
    target: str, extra: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(plugins, "find_installed", lambda kind: [])
    for run in (lambda: open_index(target, Path), lambda: show_target(target)):
        with pytest.raises(MissingExtra, match="comes with finewright-rag, ") as raised:
            run()
        assert "secret" not in str(raised.value)
        assert raised.value.hint == f'pip install "finewright[{extra}]"'


def test_a_file_may_have_a_colon_in_its_name(tmp_path: Path):
    create_index("notes:v1", tmp_path.joinpath, about()).close()
    assert path_in("notes:v1") == "notes:v1"
    assert path_in("qdrant:store?language=german") == "store"


def test_another_embedder_than_the_index_was_made_by_is_refused():
    check_embedder("index.sqlite", about(), Directions())
    check_embedder("index.sqlite", about(dimensions=0), None)
    with pytest.raises(
        DataError, match=r"^index\.sqlite: made with the embedder 'directions', .*'none'$"
    ):
        check_embedder("index.sqlite", about(), None)
    with pytest.raises(DataError, match="made with the embedder 'none'"):
        check_embedder("index.sqlite", about(dimensions=0), Directions())
