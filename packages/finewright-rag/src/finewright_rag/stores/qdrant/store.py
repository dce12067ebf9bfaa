"""How an address leads to an index in Qdrant."""

from finewright_rag.stores.index import About, Resolve
from finewright_rag.stores.qdrant.index import QdrantIndex, create, open_existing


class QdrantStore:
    """See `IndexStore`: `qdrant:FOLDER` or `qdrant+http(s)://HOST:PORT/COLLECTION`."""

    def open(self, address: str, resolve: Resolve) -> QdrantIndex:
        """See `open_existing`."""
        return open_existing(address, resolve)

    def create(self, address: str, resolve: Resolve, about: About) -> QdrantIndex:
        """See `create`."""
        return create(address, resolve, about)

    def show_address(self, address: str) -> str:
        """The address as it is: one with a key in it is refused."""
        return address
