"""The conformance suite on a folder of Qdrant's local mode, and what only Qdrant can get wrong."""

from pathlib import Path

import pytest
from tests.rag.conformance import IndexConformance, found

from finewright.errors import DataError
from finewright.rag.index import About, Index

pytest.importorskip("qdrant_client", reason='needs pip install "finewright[qdrant]"')
pytest.importorskip("snowballstemmer", reason='needs pip install "finewright[qdrant]"')

from finewright.rag import qdrant


class Folder:
    """A folder that holds one index."""

    def __init__(self, above: Path) -> None:
        self.path = above / "index"

    def create(self, about: About) -> qdrant.QdrantIndex:
        return qdrant.create("qdrant:index", lambda _: self.path, about)

    def open(self) -> qdrant.QdrantIndex:
        return qdrant.open_existing("qdrant:index", lambda _: self.path)

    def content(self) -> bytes:
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        return b"".join(path.read_bytes() for path in files)


@pytest.fixture
def store() -> Iterator[Folder]:
    # The client writes each point to the disk by itself, where memory serves as well.
    memory = Path("/dev/shm")  # noqa: S108 - only names are tried, and the folder is our own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as above:
        yield Folder(Path(above))


class TestQdrant(IndexConformance):
    def test_an_update_is_seen_by_who_has_the_index_open(self, store: Folder, index: Index):
        """A folder is one process's; what is promised instead is a refusal."""
        with pytest.raises(DataError, match="another process has the folder open") as raised:
            store.open()
        assert "\n" not in str(raised.value)
        assert found(index, "charges") == ["fees"]
