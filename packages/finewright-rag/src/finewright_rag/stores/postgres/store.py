"""How an address leads to an index in PostgreSQL."""

from finewright_rag.stores.index import About, Resolve
from finewright_rag.stores.postgres.connect import place_of
from finewright_rag.stores.postgres.index import PostgresIndex, create, open_existing


class PostgresStore:
    """See `IndexStore`: `postgresql://USER@HOST/DATABASE?language=german#NAME`."""

    def open(self, address: str, _: Resolve) -> PostgresIndex:
        """See `open_existing`."""
        return open_existing(address)

    def create(self, address: str, _: Resolve, about: About) -> PostgresIndex:
        """See `create`."""
        return create(address, about)

    def show_address(self, address: str) -> str:
        """The address without password and parameters."""
        return place_of(address).shown
