"""A folder of a stranger's: its pickles call nothing."""

import pickle  # noqa: TID251 - to make what is refused
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("qdrant_client", reason='needs pip install "finewright[qdrant]"')

from qdrant_client import QdrantClient, models

from finewright.errors import DataError
from finewright_rag.stores.qdrant.connect import connect, place_of

POINT = models.PointStruct(
    id=7,
    vector={"dense": [0.5, 1.0], "words": models.SparseVector(indices=[3], values=[2.0])},
    payload={"text": "é", "groups": ["all"], "page": None},
)


class Harm:
    """What a pickle can do: call any function when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def stored(folder: Path) -> Path:
    """A folder that the client made, with one point."""
    client = QdrantClient(path=str(folder))
    dense = {"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)}
    words = {"words": models.SparseVectorParams()}
    client.create_collection("c", vectors_config=dense, sparse_vectors_config=words)
    client.upsert("c", [POINT])
    client.close()
    (path,) = folder.rglob("*.sqlite")
    return path


def test_points_are_read_back(tmp_path: Path) -> None:
    stored(tmp_path / "index")
    client = connect(place_of("qdrant:index", tmp_path.joinpath))
    (found,) = client.retrieve("c", [7], with_vectors=True)
    client.close()
    assert found.payload == POINT.payload
    assert found.vector["words"] == POINT.vector["words"]


def test_a_planted_pickle_calls_nothing(tmp_path: Path) -> None:
    path, ran = stored(tmp_path / "index"), tmp_path / "ran"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE points SET point = ?", (pickle.dumps(Harm(ran)),))
    connection.close()
    with pytest.raises(DataError, match="damaged"):
        connect(place_of("qdrant:index", tmp_path.joinpath))
    assert not ran.exists()
    with sqlite3.connect(path) as connection:  # the same pickle, read as pickles are: it is no dud
        ((content,),) = connection.execute("SELECT point FROM points")
    connection.close()
    pickle.loads(content)  # noqa: S301
    assert ran.exists()
