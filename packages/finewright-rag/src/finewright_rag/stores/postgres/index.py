"""An index in PostgreSQL: words in a tsvector ranked by BM25, vectors in pgvector, one schema for each index.

Vectors are searched exactly, in 16-bit floats; there is no HNSW index, whose recall would be another number.
Access is part of every query, and who asks learns nothing of other documents but how common a word is."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, LiteralString

from finewright.errors import DataError
from finewright.judge.searchable import words
from finewright.schema.passages import Chunk, Counts, Passage
from finewright_rag.indexing.incoming import in_groups, is_unchanged, require_fitting
from finewright_rag.search.calibration import json_of_tuning, restore_tuning, with_tuned
from finewright_rag.search.coverage import ceiling_by_words
from finewright_rag.stores.index import About, IndexChanges, RankedChunk, takes_vector
from finewright_rag.stores.lexical import list_words
from finewright_rag.stores.postgres import tables
from finewright_rag.stores.postgres.connect import PostgresPlace, connect, place_of, server_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from psycopg import Connection
    from psycopg.errors import Diagnostic

    from finewright.schema.passages import Access
    from finewright_rag.search.calibration import Calibration
    from finewright_rag.stores.index import Indexed

_RANKINGS = ("lexical", "dense")
"""The order in which every store tells their weights."""

_TUNED = "tuned"
_CHUNKS_AT_ONCE = 500
_WORDS_OF_A_QUERY = 1000


def open_existing(target: str) -> PostgresIndex:
    """The index at `target`, as `place_of` reads it.

    One line says that the server, the database, a right or the index is not there, or that the schema is
    another program's or a newer finewright's."""
    return _open(place_of(target), None)


def create(target: str, about: About) -> PostgresIndex:
    """An empty index at `target`, kept from the first `put` that ends well.

    What would stop it (rights, a missing pgvector, a schema of that name) is found out at once: its tables
    are made and taken back."""
    return _open(place_of(target), about)


class PostgresIndex:
    """See `Index`; a connection of its own, for one thread.

    Deleted and replaced text: once `delete` or `put` has returned, the tables have been written anew without
    it (VACUUM FULL: they are locked meanwhile, and the disk needs room for a second copy) and their old files
    are gone. Not covered: the write-ahead log until its segments are used again, its archive, replicas that
    lag, backups, logs of statements, free blocks of the disk; and rows that a transaction of another session,
    older than the change, could still read, until the next deletion after its end."""

    def __init__(
        self, place: PostgresPlace, connection: Connection, kept: tables.Kept, *, is_new: bool
    ) -> None:
        # jsonb keeps no order of its keys.
        weights = kept.about.weights
        ordered = {name: weights[name] for name in _RANKINGS if name in weights}
        about = replace(kept.about, weights=ordered)
        self.about = with_tuned(about, kept.about.weights.get(_TUNED))
        self._place = place
        self._connection = connection
        self._language = kept.language
        self._is_new = is_new

    def put(self, batch: Iterable[Indexed]) -> IndexChanges:
        """See `Index`; refused while another process changes the index. Readers see the old one meanwhile."""
        done: Counter[str] = Counter()
        with self._changing():
            if self._is_new:
                kept = tables.Kept(self.about, self._language)
                tables.make(self._place, self._connection, kept)
            for group in in_groups(batch, _CHUNKS_AT_ONCE):
                done += self._write(group)
            self._run(tables.COUNT)
        self._is_new = False
        self._tidy(rewrites=done["replaced"] > 0)
        return IndexChanges(done["added"], done["replaced"], done["unchanged"])

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`, and above for what the server keeps elsewhere."""
        if self._is_new:
            return 0
        with self._changing():
            gone = self._rows(
                "DELETE FROM {s}.document WHERE id = ANY(%s) RETURNING number", [list(ids)]
            )
            self._run(tables.COUNT)
        if gone:
            self._tidy(rewrites=True)
        return len(gone)

    def digests(self) -> dict[str, str]:
        """See `Index`."""
        return dict(self._read("SELECT id, sha256 FROM {s}.document"))

    def find_restricted(self) -> set[str]:
        """See `Index`."""
        found = self._read("SELECT id FROM {s}.document WHERE cardinality(groups) > 0")
        return {id for (id,) in found}

    def lexical(self, query: str, limit: int, access: Access) -> list[RankedChunk]:
        """See `Index`; of a query its first 1,000 words count."""
        counted = " ".join(words(query)[:_WORDS_OF_A_QUERY])
        own = f'"{self._place.schema}".words'
        by = {"words": counted, "stopping": f"pg_catalog.{self._language}", "every": own}
        found = self._read(tables.QUERY_WORDS, by) if counted else []
        if not found or not found[0][0]:
            return []
        return self._rank(tables.LEXICAL, tables.BEST_WORDS, limit, access, words=found[0][0])

    def nearest(self, vector: NDArray[np.float32], limit: int, access: Access) -> list[RankedChunk]:
        """See `Index`."""
        if not takes_vector(self._place.shown, self.about, vector):
            return []
        text = _write_vector(vector)
        return self._rank(tables.NEAREST, tables.BEST_VECTORS, limit, access, vector=text)

    def passages(self, chunk_ids: Sequence[int]) -> list[Passage]:
        """See `Index`; a DataError says that a chunk has been replaced or deleted meanwhile."""
        rows = {row[0]: row for row in self._read(tables.PASSAGES, [list(chunk_ids)])}
        return [_passage(self._of(rows, chunk_id)) for chunk_id in chunk_ids]

    def vectors(self, chunk_ids: Sequence[int]) -> NDArray[np.float32]:
        """See `Index`."""
        import numpy as np

        sql: LiteralString = (
            "SELECT chunk, vector::text FROM {s}.vector WHERE chunk = ANY(%s::bigint[])"
        )
        rows = dict(self._read(sql, [list(chunk_ids)])) if self.about.dimensions else {}
        found = [json.loads(self._of(rows, chunk_id)) for chunk_id in chunk_ids]
        return np.array(found, dtype=np.float32).reshape(len(found), self.about.dimensions)

    def counts(self) -> Counts:
        """See `Index`."""
        sql: LiteralString = (
            "SELECT (SELECT count(*) FROM {s}.document), (SELECT count(*) FROM {s}.chunk)"
        )
        return Counts(*next(iter(self._read(sql)), (0, 0)))

    def ceiling(self, query: str, access: Access = None) -> float:
        """See `Index`; a statement for each word."""
        found = self._read("SELECT num_chunks FROM {s}.meta")
        return ceiling_by_words(self.lexical, query, found[0][0] if found else 0, access)

    def remember(
        self,
        weights: Mapping[str, float],
        other_weights: Mapping[str, float] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """See `Index`."""
        if not self._is_new:
            # Beside the weights, where earlier versions pass over it.
            value = {**weights, _TUNED: json_of_tuning(other_weights, calibration)}
            with self._changing():
                self._run("UPDATE {s}.meta SET weights = %s", [json.dumps(value)])
        self.about = restore_tuning(self.about, weights, other_weights, calibration)

    def close(self) -> None:
        """See `Index`."""
        self._connection.close()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction, in which nobody else changes the index."""
        with server_errors(self._place), self._connection.transaction():
            if not self._is_new:
                self._run("LOCK TABLE {s}.meta IN SHARE ROW EXCLUSIVE MODE NOWAIT")
            yield

    def _tidy(self, *, rewrites: bool) -> None:
        """The planner's figures, and tables without what was deleted or replaced."""
        how: LiteralString = "VACUUM (FULL, ANALYZE) {s}.{t}" if rewrites else "ANALYZE {s}.{t}"
        skipped: list[str] = []

        def hear(said: Diagnostic) -> None:
            if said.severity_nonlocalized == "WARNING":
                skipped.append(said.message_primary or "")

        self._connection.add_notice_handler(hear)
        with server_errors(self._place):
            for name in ("document", "chunk", "words", *["vector"][: self.about.dimensions]):
                self._run(how, t=name)
        self._connection.remove_notice_handler(hear)
        if skipped and rewrites:
            raise DataError(
                f"{self._place.shown}: the change is made, but old text is left in the files: {skipped[0]}",
                hint="let the owner of the index run VACUUM FULL",
            )

    def _write(self, group: Mapping[str, Indexed]) -> Counter[str]:
        """Write what is new or has changed; how many documents were what."""
        known = dict(
            self._rows("SELECT id, sha256 FROM {s}.document WHERE id = ANY(%s)", [list(group)])
        )
        fresh = [item for item in group.values() if not is_unchanged(item.document, known)]
        replaced = [item.document.id for item in fresh if item.document.id in known]
        for item in fresh:
            require_fitting(item, self.about, takes_nul=False)
        self._run("DELETE FROM {s}.document WHERE id = ANY(%s)", [replaced])
        if fresh:
            self._insert(fresh)
        return Counter(
            added=len(fresh) - len(replaced),
            replaced=len(replaced),
            unchanged=len(group) - len(fresh),
        )

    def _insert(self, fresh: Sequence[Indexed]) -> None:
        numbers = self._numbers(len(fresh) + sum(len(item.chunks) for item in fresh))
        documents = [(next(numbers), item) for item in fresh]
        chunks = [
            (next(numbers), number, item, at)
            for number, item in documents
            for at in range(len(item.chunks))
        ]
        self._copy(
            "COPY {s}.document (number, id, title, source, license, groups, sha256) FROM STDIN",
            ((number, d.id, d.title, d.source, d.license, list(d.groups), d.sha256)
             for number, d in ((number, item.document) for number, item in documents)),
        )  # fmt: skip
        self._copy(
            "COPY {s}.chunk (id, document, number, text, heading_path, start_at, end_at) FROM STDIN",
            ((id, number, c.number, c.text, list(c.heading_path), c.start, c.end)
             for id, number, c in ((id, number, item.chunks[at]) for id, number, item, at in chunks)),
        )  # fmt: skip
        if self.about.dimensions:
            self._copy(
                "COPY {s}.vector (chunk, document, vector) FROM STDIN",
                ((id, number, _write_vector(item.vectors[at]))
                 for id, number, item, at in chunks if item.vectors is not None),
            )  # fmt: skip
        found = [list_words(item.document, item.chunks[at]) for _, _, item, at in chunks]
        self._run(
            tables.ADD_WORDS,
            [
                self._qualify("words"),
                [id for id, *_ in chunks],
                [number for _, number, *_ in chunks],
                [" ".join(each.words) for each in found],
                [each.num_written for each in found],
            ],
        )

    def _numbers(self, how_many: int) -> Iterator[int]:
        sql: LiteralString = "SELECT nextval(%s::regclass) FROM generate_series(1, %s)"
        return iter([row[0] for row in self._rows(sql, [self._qualify("number"), how_many])])

    def _rank(
        self, head: LiteralString, tail: LiteralString, limit: int, access: Access, **by: Any
    ) -> list[RankedChunk]:
        seen = "" if access is None else tables.SEEN_BY
        by |= {"limit": limit, "access": sorted(access or ())}
        return [RankedChunk(chunk, score) for chunk, score in self._read(head + seen + tail, by)]

    def _of(self, rows: Mapping[int, Any], chunk_id: int) -> Any:
        if chunk_id not in rows:
            raise DataError(
                f"{self._place.shown}: chunk {chunk_id} has been replaced or deleted",
                hint="search again",
            )
        return rows[chunk_id]

    def _read(self, sql: LiteralString, values: Any = None) -> list[tuple[Any, ...]]:
        if self._is_new:
            return []
        with server_errors(self._place):
            return self._rows(sql, values)

    def _rows(self, sql: LiteralString, values: Any = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(tables.sql(self._place, sql), values).fetchall()

    def _run(self, sql: LiteralString, values: Any = None, **names: str) -> None:
        self._connection.execute(tables.sql(self._place, sql, **names), values)

    def _copy(self, sql: LiteralString, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(tables.sql(self._place, sql)) as copy:
            for row in rows:
                copy.write_row(row)

    def _qualify(self, name: str) -> str:
        # A schema's name is letters, digits and _, as `place_of` saw to it.
        return f'"{self._place.schema}".{name}'


def _open(place: PostgresPlace, about: About | None) -> PostgresIndex:
    connection = connect(place)
    try:
        with server_errors(place):
            _require_unicode(place, connection)
            if about is None:
                kept = tables.read(place, connection)
            else:
                kept = tables.check_new(place, connection, about)
    except BaseException:
        connection.close()
        raise
    return PostgresIndex(place, connection, kept, is_new=about is not None)


def _require_unicode(place: PostgresPlace, connection: Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DataError(
            f"{place.shown}: the database's encoding is {encoding}, which cannot hold every text",
            hint="make one with `createdb --encoding=UTF8 --template=template0 NAME`",
        )


def _passage(row: Sequence[Any]) -> Passage:
    chunk_id, document, title, source, license, number, text, path, start, end = row
    chunk = Chunk(number, text, tuple(path), start, end)
    return Passage(chunk_id, document, title, source, license, chunk)


def _write_vector(vector: NDArray[np.float32]) -> str:
    """As pgvector reads it; five digits tell all 16-bit floats apart."""
    return f"[{','.join(f'{part:.5g}' for part in vector.tolist())}]"
