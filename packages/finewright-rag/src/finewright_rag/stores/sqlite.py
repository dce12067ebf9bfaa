"""An index in one SQLite file: words by FTS5, vectors as 16-bit floats searched exactly.

Covered: many readers beside one writer, in threads and processes; a kill or a power cut at any moment.
Deleted text is overwritten in the file. Not covered: what the file system keeps of files and of the journal
that is beside the file while it is written to, snapshots and backups. How common a word is is counted among
the chunks that the asker may see; the mean length of chunks counts all."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError
from finewright.judge.searchable import num_words, searchable
from finewright.schema.passages import Access, Chunk, Counts, Document, Passage
from finewright_rag.indexing.chunk import names_above
from finewright_rag.search.calibration import json_of_tuning, restore_tuning
from finewright_rag.stores.database import (
    begin,
    connect_file,
    erase_tokens,
    keep_tuned,
    read_errors,
    sqlite_errors,
    start_file,
)
from finewright_rag.stores.index import About, IndexChanges, Indexed, RankedChunk, Resolve

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from finewright_rag.search.calibration import Calibration
    from finewright_rag.stores.memory import IndexMemory

_VISIBLE = """SELECT group_concat(document) FROM readers
    WHERE name IN (SELECT value FROM json_each(?))"""
_EVERYONE = "*"


def open_existing(path: Path) -> SqliteIndex:
    """The index in the file; a DataError says what is there instead."""
    connection, about = connect_file(path)
    return SqliteIndex(path, connection, about, is_new=False)


def create(path: Path, about: About) -> SqliteIndex:
    """A new index at `path`; without a `put` that ends well no file is left there."""
    return SqliteIndex(path, start_file(path, about), about, is_new=True)


class SqliteStore:
    """See `IndexStore`: an address is the path of a file."""

    def open(self, address: str, resolve: Resolve) -> SqliteIndex:
        """See `open_existing`."""
        return open_existing(resolve(address))

    def create(self, address: str, resolve: Resolve, about: About) -> SqliteIndex:
        """See `create`."""
        return create(resolve(address), about)

    def show_address(self, address: str) -> str:
        """The path as it is."""
        return address


class SqliteIndex:
    """See `Index`. Threads may share it; they take turns."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, about: About, *, is_new: bool
    ) -> None:
        self.about = about
        self._path = path
        self._connection = connection
        self._is_new = is_new
        self._lock = threading.RLock()
        self._num_changes = 0
        self._memory: IndexMemory | None = None

    def put(self, batch: Iterable[Indexed]) -> IndexChanges:
        """See `Index.put`; a document without a sha256 always counts as changed."""
        added = replaced = unchanged = 0
        sources: dict[str, str] = {}
        with self._writing():
            known = self.digests()
            for indexed in batch:
                document = indexed.document
                if document.id in sources:
                    raise DataError(
                        f"{document.source}: the id {document.id!r} is also that of {sources[document.id]}",
                        hint="give each document an id of its own",
                    )
                sources[document.id] = document.source
                if document.sha256 and known.get(document.id) == document.sha256:
                    unchanged += 1
                    continue
                replaced += document.id in known
                added += document.id not in known
                self._remove([document.id])
                self._add(indexed)
            if replaced:
                erase_tokens(self._connection)
        return IndexChanges(added, replaced, unchanged)

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index.delete`."""
        with self._writing():
            num_deleted = self._remove(ids)
            if num_deleted:
                erase_tokens(self._connection)
        return num_deleted

    def digests(self) -> dict[str, str]:
        """See `Index.digests`."""
        return dict(self._rows("SELECT name, sha256 FROM documents"))

    def find_restricted(self) -> set[str]:
        """See `Index.find_restricted`."""
        sql = "SELECT d.name FROM documents AS d JOIN readers AS r ON r.document = d.id WHERE r.name <> ?"
        return {name for (name,) in self._rows(sql, _EVERYONE)}

    def lexical(self, query: str, limit: int, access: Access) -> list[RankedChunk]:
        """Chunks by BM25, the best first; of a query whose words are very common see `Words`."""
        from finewright_rag.stores.open import best

        with self._reading():
            memory = self._follow_file()
            scores = memory.words.scores(query, self._seen(memory, access))
            return best(memory.places, scores, limit, None)  # what is not seen has no score

    def nearest(self, vector: NDArray[np.float32], limit: int, access: Access) -> list[RankedChunk]:
        """See `Index.nearest`; the vectors are read into memory once."""
        from finewright_rag.stores.open import best

        if not self.about.dimensions:
            return []
        with self._reading():
            memory = self._follow_file(with_vectors=True)
            scores = memory.matrix.scores(vector)
            return best(memory.places, scores, limit, self._visible(access))

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """See `Index.passages`; one that was deleted meanwhile is left out."""
        rows = self._rows(
            """SELECT c.id, d.name, d.title, d.source, d.license, c.number, c.text, c.heading_path,
                c.starts, c.ends FROM chunks AS c JOIN documents AS d ON d.id = c.document
                WHERE c.id IN (SELECT value FROM json_each(?))""",
            _json([int(number) for number in chunk_ids]),
        )
        with read_errors(self._path):
            found = {row[0]: _passage(row) for row in rows}
        return [found[number] for number in chunk_ids if number in found]

    def vectors(self, chunk_ids: Sequence[int]) -> NDArray[np.float32]:
        """See `Index.vectors`; zeros for one that was deleted meanwhile."""
        with self._reading():
            return self._follow_file(with_vectors=True).matrix.rows(chunk_ids)

    def counts(self) -> Counts:
        """See `Index.counts`."""
        sql = "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)"
        return Counts(*self._rows(sql)[0])

    def ceiling(self, query: str, access: Access = None) -> float:
        """See `Index.ceiling`."""
        with self._reading():
            memory = self._follow_file()
            return memory.words.ceiling(query, self._seen(memory, access))

    def remember(
        self,
        weights: Mapping[str, float],
        other_weights: Mapping[str, float] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """See `Index.remember`."""
        with self._writing():
            self._connection.execute(
                "UPDATE about SET value = ? WHERE name = 'weights'", (_json(dict(weights)),)
            )
            keep_tuned(self._connection, json_of_tuning(other_weights, calibration))
        self.about = restore_tuning(self.about, weights, other_weights, calibration)

    def close(self) -> None:
        """See `Index.close`."""
        with self._lock:
            if self._is_new:
                self._undo()
            if self._memory:
                self._memory.words.close()
            self._connection.close()

    def _rows(self, sql: str, *values: object) -> list[Any]:  # rows of as many types as columns
        with self._lock, read_errors(self._path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """One state of the index for all that the block reads."""
        with self._lock, read_errors(self._path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all that the block changes or nothing."""
        with self._lock, sqlite_errors(self._path):
            if not self._is_new:
                with read_errors(self._path):
                    begin(self._connection)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._undo()
                raise
            self._is_new = False
            self._num_changes += 1

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        # What was read of the transaction is not there any more; its numbers will be given again.
        if self._memory:
            self._memory.forget()
        self._num_changes += 1
        if self._is_new:
            self._connection.close()
            self._path.unlink(missing_ok=True)
            self._is_new = False

    def _remove(self, ids: Iterable[str]) -> int:
        number = 0
        for name in ids:
            found = self._rows("SELECT id FROM documents WHERE name = ?", name)
            for sql in _REMOVE if found else ():
                self._rows(sql, *found[0])
            number += len(found)
        return number

    def _add(self, indexed: Indexed) -> None:
        document, vectors = indexed.document, indexed.vectors
        shape = (len(indexed.chunks), self.about.dimensions)
        if shape[1] and (vectors is None or vectors.shape != shape):
            got = None if vectors is None else vectors.shape
            raise DataError(
                f"{document.source}: its vectors are {got}, the index needs {shape}",
                hint="embed with the embedder that the index was made with",
            )
        try:
            self._insert(document, indexed.chunks, vectors if shape[1] else None)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{document.source}: the document {document.id!r} is no valid text: {error.reason}",
                hint="remove the lone surrogates, such as \\ud800 in JSON",
            ) from None

    def _insert(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32] | None,
    ) -> None:
        run = self._connection.execute
        number = run(
            "INSERT INTO documents (name, title, source, license, sha256) VALUES (?, ?, ?, ?, ?)",
            (document.id, document.title, document.source, document.license, document.sha256),
        ).lastrowid
        for name in {_group(group) for group in document.groups} or {_EVERYONE}:
            run("INSERT INTO readers VALUES (?, ?)", (number, name))
        for at, chunk in enumerate(chunks):
            names, words = searchable(names_above(document, chunk)), searchable(chunk.text)
            place = (number, chunk.number, _json(chunk.heading_path), chunk.start, chunk.end)
            own = None if words == chunk.text else words
            chunk_id = run(
                "INSERT INTO chunks (document, number, heading_path, starts, ends, text, names, words,"
                " num_words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*place, chunk.text, names, own, num_words(names) + num_words(words)),
            ).lastrowid
            run(
                "INSERT INTO found (rowid, names, words) VALUES (?, ?, ?)", (chunk_id, names, words)
            )
            if vectors is not None:
                half = vectors[at].astype("<f2").tobytes()
                run("INSERT INTO vectors VALUES (?, ?)", (chunk_id, half))

    def _follow_file(self, *, with_vectors: bool = False) -> IndexMemory:
        """What is kept in memory, as the file is by now, whoever wrote to it."""
        from finewright_rag.stores.memory import IndexMemory

        if not self._memory:
            self._memory = IndexMemory(self._connection, self.about.dimensions)
        version = (self._rows("PRAGMA data_version")[0][0], self._num_changes)
        self._memory.follow(version, with_vectors=with_vectors)
        return self._memory

    def _seen(self, memory: IndexMemory, access: Access) -> NDArray[np.bool_] | None:
        import numpy as np

        documents = self._visible(access)
        return None if documents is None else np.isin(memory.places.documents, documents)

    def _visible(self, access: Access) -> NDArray[np.int64] | None:
        from finewright_rag.stores.open import read_numbers

        if access is None:
            return None
        return read_numbers(self._rows(_VISIBLE, _asking(access))[0][0])


_REMOVE = (
    # First of all, as FTS5 asks the chunks for the words to forget.
    "DELETE FROM found WHERE rowid IN (SELECT id FROM chunks WHERE document = ?)",
    "DELETE FROM vectors WHERE chunk IN (SELECT id FROM chunks WHERE document = ?)",
    "DELETE FROM chunks WHERE document = ?",
    "DELETE FROM readers WHERE document = ?",
    "DELETE FROM documents WHERE id = ?",
)


def _group(name: str) -> str:
    """A group as it is kept: none is named as everyone is."""
    return f"={name}"


def _asking(access: frozenset[str]) -> str:
    return _json([_EVERYONE, *map(_group, sorted(access))])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _passage(row: tuple[Any, ...]) -> Passage:  # as many types as columns
    chunk_id, document, title, source, license, number, text, heading_path, start, end = row
    chunk = Chunk(number, text, tuple(json.loads(heading_path)), start, end)
    return Passage(chunk_id, document, title, source, license, chunk)
