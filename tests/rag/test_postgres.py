"""The conformance suite on a real server, and what only PostgreSQL can get wrong."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.rag.conformance import IndexConformance
from tests.rag.postgres_server import APT_PACKAGES, Server, has_pgvector, running

from finewright.rag import postgres
from finewright.rag.index import About

_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        if not has_pgvector(server):
            pytest.skip(f"the server has no pgvector (Debian: {APT_PACKAGES})")
        yield server


class Schema:
    """An index of its own name in the one database."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.target = f"{server.address('postgres')}#index_{next(_numbers)}"

    def create(self, about: About) -> postgres.PostgresIndex:
        return postgres.create(self.target, about)

    def open(self) -> postgres.PostgresIndex:
        return postgres.open_existing(self.target)

    def content(self) -> bytes:
        return self.server.content()


@pytest.fixture
def store(server: Server) -> Schema:
    return Schema(server)


class TestPostgres(IndexConformance):
    pass
