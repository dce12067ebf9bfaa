"""The SQLite index keeps the promises of every index, and those of a single file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.rag.conformance import IndexConformance

from finewright.rag import sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from finewright.rag.index import About, Index


class FileStore:
    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, about: About) -> Index:
        return sqlite.create(self.path, about)

    def open(self) -> Index:
        return sqlite.open_existing(self.path)

    def content(self) -> bytes | None:
        return b"".join(file.read_bytes() for file in self.path.parent.iterdir())


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "index.sqlite")


class TestSqliteIndex(IndexConformance):
    """See `IndexConformance`."""
